"""What a data frame reads and its ``inputFiles`` does not name: behind a cache, and in functions on Spark's workers.

A plan ends where a part of it is cached, and a function of ``mapInArrow`` that opens files itself is no file to Spark.
So such a function has its reads in its name, which is part of every plan made from it and is shown by explain().
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

__all__ = ["all_of", "hidden_reads", "kind_of", "named_columns", "named_reads", "reading"]

#: Folders of one table that are named each.
_MOST = 20
_NAME = re.compile(r"\breads\[([^\]]*)\]")
_COLUMNS = re.compile(r"\]of\[([^\]]*)\]")


def reading(
    function: Callable[..., Any], *read: Sequence[str], made: Sequence[Sequence[tuple[int, str]]] | None = None
) -> Callable[..., Any]:
    """The same function, under a name that says from which folders it reads.

    Args:
        function: what Spark is given.
        read: the files of each table: paths or addresses.
        made: of each column that it gives, what it is of: the place of a table among ``read`` and its column, or -1 and
            the place of a column that the function is given. By default it gives the columns of one table.
    """
    named = partial(function)
    folders = [_folders(files) for files in read]
    listed = sorted(set().union(*folders))
    name = f"reads[{','.join(quote(folder, safe='/:') for folder in listed)}]"
    if made is not None:
        places = {-1: -1} | {place: listed.index(min(each)) for place, each in enumerate(folders)}
        said = [[f"{places[place]}.{quote(column, safe='')}" for place, column in each] for each in made]
        name = f"{name}of[{','.join(map('+'.join, said))}]"
    named.__name__ = name  # type: ignore[attr-defined]
    return named


def named_columns(name: str) -> list[list[tuple[int, str]]] | None:
    """What a function's name says of the columns that it gives, with places among ``named_reads``; None for nothing."""
    found = _COLUMNS.search(name)
    if found is None:
        return None
    pairs = ([one.partition(".") for one in each.split("+") if one] for each in found[1].split(","))
    return [[(int(place), unquote(column)) for place, _, column in each] for each in pairs]


def _folders(files: Sequence[str]) -> set[str]:
    """Where files of one table lie; of very many folders the one that they have in common, for plans are read."""
    found = {file.rpartition("/")[0] for file in files}
    return found if len(found) <= _MOST else {os.path.commonpath(found)}


def hidden_reads(frame: Any) -> frozenset[str]:
    """The folders, or files, that are read; none are known of a data frame of a Connect session."""
    classic = getattr(frame, "_jdf", None)
    if classic is None:
        return frozenset()
    plan = classic.queryExecution().analyzed()
    named = named_reads(str(plan))
    has_cache = not classic.sparkSession().sharedState().cacheManager().isEmpty()
    return frozenset((*named, *(_scanned(plan) if has_cache else ())))


def named_reads(text: str) -> tuple[str, ...]:
    """The folders in the names of functions."""
    return tuple(unquote(each) for found in _NAME.findall(text) for each in found.split(",") if each)


def _scanned(plan: Any) -> Iterator[str]:
    """What a plan and the queries inside it read of files, cached or not."""
    for part in (plan, *all_of(plan.subqueriesAll())):
        for leaf in all_of(part.collectLeaves()):
            relation = leaf.relation() if kind_of(leaf) == "LogicalRelation" else None
            if relation is not None and kind_of(relation) == "HadoopFsRelation":
                yield from (unquote(urlsplit(str(each)).path) for each in all_of(relation.location().rootPaths()))


def all_of(sequence: Any) -> list[Any]:
    """The members of a sequence of Scala."""
    return [sequence.apply(place) for place in range(sequence.size())]


def kind_of(thing: Any) -> str:
    """The name of a class of the JVM, without its package."""
    return str(thing.getClass().getSimpleName())
