"""Queries in files of the project: ``queries/*.sql``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.catalog.queries.saved import SavedQuery, read_saved
from sparkml_track.dashboards.blocks import Markup, empty, section, table
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.shipped import LAKE
from sparkml_track.errors import InvalidInput

__all__ = ["saved_queries", "saved_query", "saved_section"]

_FOLDER = "queries"
_MOST = 200


@dataclass(frozen=True)
class _File:
    """A file, read.

    Attributes:
        query: None if it cannot be read.
        problem: why.
    """

    query: SavedQuery | None
    problem: str = ""


def saved_section(page: Page) -> Markup:
    """All of them; each leads to itself in the editor."""
    found = saved_queries(page)
    if not found:
        way = f"a file such as {_folder() / 'late.sql'}"
        return section("Saved queries", empty(f"There is no saved query in {_folder()} yet: it is {way}."))
    rows = [_row(page, name, one) for name, one in found.items()]
    return section("Saved queries", table(("name", "what it says", "parameters"), rows, texts=(1,)))


def saved_queries(page: Page) -> Mapping[str, _File]:
    """By name."""
    files = sorted(_folder().glob("*.sql"))[:_MOST]
    stamp = tuple(number for file in files for number in _stamp(file))
    return page.kept.get(("saved", str(_folder())), stamp, lambda: {file.stem: _read(file) for file in files})


def saved_query(page: Page, name: str) -> SavedQuery:
    """The query of a name.

    Raises:
        InvalidInput: there is none, or its file cannot be read.
    """
    found = saved_queries(page)
    if name not in found:
        raise InvalidInput(f"there is no saved query {name!r} in {_folder()}; there are: {', '.join(found) or 'none'}")
    one = found[name]
    if one.query is None:
        raise InvalidInput(one.problem)
    return one.query


def _row(page: Page, name: str, one: _File) -> Sequence[object]:
    query = one.query
    if query is None:
        return name, one.problem, ""
    params = ", ".join(f"{param} {kind.kind or ''}".strip() for param, kind in query.params.items())
    return page.link(name, "sql", query=name), query.description, params


def _read(file: Path) -> _File:
    try:
        return _File(read_saved(file))
    except InvalidInput as error:
        return _File(None, str(error))


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        status = file.stat()
    except OSError:
        return (0,)
    return status.st_mtime_ns, status.st_size


def _folder() -> Path:
    return Path(os.environ.get(LAKE) or ".").absolute() / _FOLDER
