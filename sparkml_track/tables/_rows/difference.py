"""What differs between two versions of a table, row by row, matched by keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from sparkml_track.errors import TableError
from sparkml_track.tables._rows.arrow import first_duplicate
from sparkml_track.tables._rows.errors import no_columns, no_keys, repeated_keys
from sparkml_track.tables._values import TableInfo

#: The column that says what became of a row.
CHANGE = "_change"


def difference(before: pa.Table, after: pa.Table, keys: Sequence[str], name: str) -> pa.Table:
    """Compare two versions held in memory.

    Args:
        before: the earlier rows.
        after: the later rows, with the same columns.
        keys: unique in each.
        name: of the table.

    Returns:
        The column ``_change`` ("added", "removed", "changed_from", "changed_to"), then the columns of ``after``.

    Raises:
        TableError: keys repeat.
    """
    for rows in (before, after):
        if twice := first_duplicate(rows, keys):
            raise repeated_keys(name, keys, twice)
    old, new = _numbered(before, keys), _numbered(after, keys)
    lines, later = before.to_pylist(), after.to_pylist()
    changed = [key for key in old if key in new and not _same(lines[old[key]], later[new[key]])]
    return pa.concat_tables(
        [
            _marked(after, [new[key] for key in new if key not in old], "added"),
            _marked(before, [old[key] for key in old if key not in new], "removed"),
            _marked(before, [old[key] for key in changed], "changed_from"),
            _marked(after, [new[key] for key in changed], "changed_to"),
        ]
    )


def shared_columns(name: str, before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Give the columns of two versions in the order of the later one, those that are gone last.

    Raises:
        TableError: a column has another type.
    """
    other = [
        f"{column!r} was {before[column]} and is {kind}"
        for column, kind in after.items()
        if column in before and before[column] != kind
    ]
    if other:
        raise TableError(
            f"table {name}: versions whose columns have other types cannot be compared: {'; '.join(other)}"
        )
    return [*after, *(column for column in before if column not in after)]


def check_keys(name: str, keys: Sequence[str], *versions: TableInfo) -> None:
    """Refuse keys that a version does not have.

    Raises:
        TableError: no keys at all, or columns that are missing.
    """
    if not keys:
        raise no_keys(name)
    for info in versions:
        if missing := [key for key in keys if key not in info.columns]:
            raise no_columns(info.ref, missing, info.columns)


def filled(versions: Sequence[pa.Table], columns: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """Give two versions the same columns; what one of them lacks is null there."""
    before, after = versions
    types = {field.name: field.type for rows in (before, after) for field in rows.schema}
    schema = pa.schema([(column, types[column]) for column in columns])
    return _widened(before, schema), _widened(after, schema)


def _widened(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        rows[field.name] if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


def _numbered(rows: pa.Table, keys: Sequence[str]) -> dict[tuple[object, ...], int]:
    return {tuple(row.values()): number for number, row in enumerate(rows.select(list(keys)).to_pylist())}


def _same(one: object, other: object) -> bool:
    # NaN is not equal to itself, and a row that was copied has not changed.
    return one == other or repr(one) == repr(other)


def _marked(rows: pa.Table, numbers: Sequence[int], change: str) -> pa.Table:
    taken = rows.take(pa.array(numbers, pa.int64()))
    return taken.add_column(0, CHANGE, pa.array([change] * len(numbers), pa.string()))
