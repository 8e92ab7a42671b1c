"""What a query gave, as a page can show it: every cell is text or a number, and none of it asks another machine."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

from sparkml_track.catalog.queries.ask import Result
from sparkml_track.dashboards.blocks import Markup, note, section
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.queries.asker import Asker, Outcome
from sparkml_track.dashboards.queries.broken import broken_column
from sparkml_track.governance.names import full_name

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_csv", "cells", "named", "said", "waiting"]

_PLACE = re.compile(r"at character (\d+)")


def said(page: Page, outcome: Outcome | None) -> Markup:
    """What is said of the answer, above its rows."""
    if outcome is None:
        return note("Nothing was asked yet: press Run.")
    if outcome.result is None:
        return note(Markup('<pre style="margin:0">{}</pre>').format(_placed(outcome)), "bad")
    result = outcome.result
    rows, limit = result.rows.num_rows, outcome.asked.limit
    cut = f" There are more than the limit of {limit:,} lets through: raise it, or ask for less." if result.more else ""
    how = "from the cache" if result.cached else f"in {result.seconds:.2f} s"
    text = f"{rows:,} row{'s' * (rows != 1)} {how}.{cut}"
    read = Markup(", ").join(_lineage(page, result))
    return section("Answer", note(text, "warn") if cut else Markup("<p>{}</p>").format(text),
                   Markup("<p>Read: {}</p>").format(read) if read else Markup())  # fmt: skip


def waiting(asker: Asker) -> Markup:
    """How long a query has been under way."""
    return note(f"The query is under way, {asker.look():.0f} s. Stop ends it.") if asker.running else Markup()


def cells(rows: pa.Table) -> pa.Table:
    """The rows of ``named`` for a table of marimo, which shows some objects as HTML and some addresses as pictures."""
    import pyarrow as pa

    columns = [_cells(rows.column(number)) for number in range(rows.num_columns)]
    return pa.table(columns, names=rows.column_names)


def named(rows: pa.Table) -> pa.Table:
    """The rows, where no two columns have one name."""
    return rows.rename_columns(_unique(rows.column_names))


def as_csv(rows: pa.Table) -> bytes:
    """The rows as a file; what is nested is JSON."""
    import pyarrow as pa
    from pyarrow import csv

    columns = [_plain(rows.column(number)) for number in range(rows.num_columns)]
    sink = io.BytesIO()
    csv.write_csv(pa.table(columns, names=rows.column_names), sink)
    return sink.getvalue()


def _placed(outcome: Outcome) -> str:
    """The problem, with the line of the query where it is, if it says a place."""
    found, text = _PLACE.search(outcome.problem), outcome.asked.text
    if not found or not 0 < int(found[1]) <= len(text) + 1:
        return outcome.problem
    before = text[: int(found[1]) - 1]
    line = (text.splitlines() or [""])[before.count("\n") :][:1]
    column = len(before.rpartition("\n")[2])
    return f"{outcome.problem}\n\nline {before.count(chr(10)) + 1}: {''.join(line)}\n{' ' * (8 + column)}^"


def _lineage(page: Page, result: Result) -> list[Markup]:
    names = [(full_name(ref.name), ref.version) for ref in result.tables]
    return [page.link(f"{name}@{version}", "lineage", table=name, version=version) for name, version in names]


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    column = _plain(column)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return broken_column(column) if is_text else column


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of plain values; of others, their text."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    types = pa.types
    plain = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_date, types.is_time,
             types.is_timestamp, types.is_string, types.is_large_string)  # fmt: skip
    if any(is_one(kind) for is_one in plain):
        return column
    return pa.chunked_array([pa.array((_text(each) for each in column.to_pylist()), pa.string())])


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def _unique(names: list[str]) -> list[str]:
    found = dict[str, None]()
    for name in names:
        number, one = 1, name
        while one in found:
            number += 1
            one = f"{name} ({number})"
        found[one] = None
    return list(found)
