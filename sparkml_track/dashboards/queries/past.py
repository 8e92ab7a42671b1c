"""Queries that were asked: the latest first. Where there are accounts, those of whoever looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.dashboards.blocks import Markup, empty, section, table
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.queries.asker import principal
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.errors import InvalidInput
from sparkml_track.readable import short_text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["past_query", "past_section"]

_COLUMNS = ("id", "started_at", "user", "text", "params", "tables", "rows", "ms", "cached", "saved", "error")
_MOST = 50
_HEAD = ("asked (UTC)", "by", "query", "read", "rows", "took", "")


def past_section(page: Page) -> Markup:
    """The latest queries; each leads to itself in the editor."""
    found = _rows(page)
    if not found.num_rows:
        return section("History", empty("No query was asked yet.", "sparkml-track sql 'SELECT ...'"))
    rows = [_row(page, one) for one in found.slice(0, _MOST).to_pylist()]
    who = principal(page)
    whose = f"Those of {who.name}. " if who else ""
    about = f"{whose}The latest {len(rows)} of {found.num_rows:,} in system.query_history."
    return section("History", table(_HEAD, rows, texts=(2, 3, 6)), about=about)


def past_query(page: Page, number: str) -> tuple[str, Mapping[str, str]]:
    """The text of a query that was asked, and the values that it had as words.

    Raises:
        InvalidInput: there is none of this id.
    """
    import pyarrow.compute as pc

    found = _rows(page)
    own = found.filter(pc.equal(found["id"], number)).to_pylist()
    if not own:
        raise InvalidInput(f"system.query_history has no query {number!r} of yours; the list below has the latest")
    values = json.loads(own[0]["params"] or "{}")
    return own[0]["text"], {str(name): str(value) for name, value in values.items() if value is not None}


def _rows(page: Page) -> pa.Table:
    """The latest first."""
    import pyarrow.compute as pc

    who = principal(page)

    def read() -> pa.Table:
        from sparkml_track.tables import DeltaTables

        tables = DeltaTables(page.home.tables_root, lineage=False)
        rows = SystemTables(page.home.system, tables).seen("query_history", _COLUMNS)
        if who:
            rows = rows.filter(pc.equal(rows["user"], who.name))
        return rows.sort_by([("started_at", "descending")])

    return page.kept.get(("query history", who and who.name), page.stamp(Kind.SYSTEM, of="query_history"), read)


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
