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

__all__ = ["hidden_reads", "reading"]

#: Folders of one table that are named each.
_MOST = 20
_NAME = re.compile(r"\breads\[([^\]]*)\]")


def reading(function: Callable[..., Any], *read: Sequence[str]) -> Callable[..., Any]:
    """The same function, under a name that says from which folders it reads.

    Args:
        function: what Spark is given.
        read: the files of each table: paths or addresses.
    """
    named = partial(function)
    folders = sorted({folder for files in read for folder in _folders(files)})
    named.__name__ = f"reads[{','.join(quote(folder, safe='/:') for folder in folders)}]"  # type: ignore[attr-defined]
    return named


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
    named = (unquote(each) for found in _NAME.findall(str(plan)) for each in found.split(",") if each)
    has_cache = not classic.sparkSession().sharedState().cacheManager().isEmpty()
    return frozenset((*named, *(_scanned(plan) if has_cache else ())))


def _scanned(plan: Any) -> Iterator[str]:
    """What a plan and the queries inside it read of files, cached or not."""
    for part in (plan, *_all(plan.subqueriesAll())):
        for leaf in _all(part.collectLeaves()):
            relation = leaf.relation() if _name(leaf) == "LogicalRelation" else None
            if relation is not None and _name(relation) == "HadoopFsRelation":
                yield from (unquote(urlsplit(str(each)).path) for each in _all(relation.location().rootPaths()))


def _all(sequence: Any) -> list[Any]:
    return [sequence.apply(place) for place in range(sequence.size())]


def _name(thing: Any) -> str:
    return str(thing.getClass().getSimpleName())
