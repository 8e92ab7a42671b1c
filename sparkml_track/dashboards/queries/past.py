"""Queries that were asked: the latest first. Where there are accounts, those of whoever looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.catalog.snapshot import view_of
from sparkml_track.catalog.system.schemas import empty as empty_rows
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.dashboards.blocks import Markup, empty, section, table
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.queries.asker import principal
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.errors import InvalidInput
from sparkml_track.governance.grants import Principal
from sparkml_track.readable import short_text

if TYPE_CHECKING:
    from sparkml_track.sql import View

__all__ = ["past_query", "past_section"]

_COLUMNS = ("id", "started_at", "user", "text", "params", "tables", "rows", "ms", "cached", "saved", "error")
_MOST = 50
_SECONDS = 20.0  # nobody waits longer for a page
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
#: A flusher that died leaves rows that wait and are in the table, too.
_ALL = f"""
    SELECT {_NAMES} FROM waiting
    UNION ALL SELECT {_NAMES} FROM stored WHERE id NOT IN (SELECT id FROM waiting WHERE id IS NOT NULL)
"""
_HEAD = ("asked (UTC)", "by", "query", "read", "rows", "took", "")


@dataclass(frozen=True)
class _Latest:
    """The latest queries, and how many there are."""

    rows: list[dict[str, Any]]
    count: int


def past_section(page: Page) -> Markup:
    """The latest queries; each leads to itself in the editor."""
    found = _latest(page)
    if not found.rows:
        return section("History", empty("No query was asked yet.", "sparkml-track sql 'SELECT ...'"))
    rows = [_row(page, one) for one in found.rows]
    who = principal(page)
    whose = f"Those of {who.name}. " if who else ""
    about = f"{whose}The latest {len(rows)} of {found.count:,} in system.query_history."
    return section("History", table(_HEAD, rows, texts=(2, 3, 6)), about=about)


def past_query(page: Page, number: str) -> tuple[str, Mapping[str, str]]:
    """The text of a query that was asked, and the values that it had as words.

    Raises:
        InvalidInput: there is none of this id.
    """
    own = _found(page, principal(page), "SELECT text, params FROM own WHERE id = $id", id=number)
    if not own:
        raise InvalidInput(f"system.query_history has no query {number!r} of yours; the list below has the latest")
    values = json.loads(own[0]["params"] or "{}")
    return own[0]["text"], {str(name): str(value) for name, value in values.items() if value is not None}


def _latest(page: Page) -> _Latest:
    who = principal(page)

    def read() -> _Latest:
        rows = _found(page, who, f"SELECT * FROM own ORDER BY started_at DESC LIMIT {_MOST}")
        return _Latest(rows, _found(page, who, "SELECT count(*) AS count FROM own")[0]["count"])

    return page.kept.get(("query history", who and who.name), page.stamp(Kind.SYSTEM, of="query_history"), read)


def _found(page: Page, who: Principal | None, text: str, **params: str) -> list[dict[str, Any]]:
    """Asks the history of ``who``, of all where there are no accounts, as ``own``.

    DuckDB reads what it needs of the table; what waits to get there is little.
    """
    from sparkml_track.sql import Mention, Query, open_engine

    views = {Mention((name,)): view for name, view in _views(page).items()}
    whose = 'WHERE "user" = $who' if who else ""
    params |= {"who": who.name} if who else {}
    query = Query(f"WITH own AS (SELECT * FROM ({_ALL}) {whose}) {text}", params, timeout=_SECONDS)
    found: list[dict[str, Any]] = open_engine().run(query, views).rows.to_pylist()
    return found


def _views(page: Page) -> dict[str, View]:
    """What waits first: what is committed meanwhile is then found twice, and not missed."""
    from sparkml_track.sql import View
    from sparkml_track.tables import DeltaTables, MemoryTables

    waiting = SystemTables(page.home.system, MemoryTables()).seen("query_history")
    tables, name = DeltaTables(page.home.tables_root, lineage=False), "system.query_history"
    there = tables.exists(name)
    stored = view_of(tables.describe(name), tables) if there else View(name, {}, rows=empty_rows("query_history"))
    return {"waiting": View("waiting", {}, rows=waiting), "stored": stored}


def _row(page: Page, one: Mapping[str, Any]) -> Sequence[object]:
    lines = one["text"].splitlines()
    text = " ".join(" ".join(line for line in lines if not line.lstrip().startswith("--")).split())
    end = (
        one["error"] or ("from the cache" if one["cached"] else "") or (f"saved {one['saved']}" if one["saved"] else "")
    )
    read = ", ".join(name.removeprefix("main.").removeprefix("default.") for name in json.loads(one["tables"] or "[]"))
    return (
        f"{one['started_at']:%Y-%m-%d %H:%M:%S}",
        one["user"],
        page.link(short_text(text, 160) or "(no text)", "sql", past=one["id"]),
        read,
        one["rows"],
        f"{one['ms'] / 1000:.2f} s" if one["ms"] is not None else "",
        short_text(end, 160),
    )
