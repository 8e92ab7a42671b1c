"""Rows of DuckDB as Arrow: with a limit only as many as asked for are computed where that can be."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sparkml_track.errors import QueryError
from sparkml_track.sql._answers import answer
from sparkml_track.sql._base import Answer

__all__ = ["fetch"]

_BATCH = 65_536


def fetch(result: Any, limit: int | None) -> Answer:
    """Reads what a query gives.

    Args:
        result: a connection of DuckDB that has executed it.
        limit: at most so many rows.
    """
    wide = {each[0] for each in result.description if str(each[1]) in ("HUGEINT", "UHUGEINT")}
    if limit is None:
        return answer(_narrowed(result.to_arrow_table(), wide))
    reader = result.to_arrow_reader(min(limit + 1, _BATCH))
    batches, rows = [], 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows > limit:
            break
    table = pa.Table.from_batches(batches, reader.schema)
    return answer(_narrowed(table.slice(0, limit), wide), rows > limit)


def _narrowed(rows: pa.Table, wide: set[str]) -> pa.Table:
    """Sums of integers as int64, as Spark has them; DuckDB's have 128 bits."""
    if not wide:
        return rows
    fields = [pa.field(f.name, pa.int64()) if f.name in wide else f for f in rows.schema]
    try:
        return rows.cast(pa.schema(fields))
    except pa.ArrowInvalid as error:
        names = ", ".join(sorted(wide))
        raise QueryError(
            f"a whole number in {names} does not fit into 64 bits; cast the sum to DOUBLE or DECIMAL(38, 0)"
        ) from error
