"""Checks before a commit: columns first, which cost nothing, then rows and nulls as they were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sparkml_track.errors import DataError, TableError
from sparkml_track.tables._values import TableExpectations, TableInfo


@dataclass(frozen=True, slots=True)
class Written:
    """What was found in rows about to be committed.

    Attributes:
        rows: how many.
        nulls: how many nulls, for each column that was counted.
    """

    rows: int
    nulls: Mapping[str, int] = field(default_factory=dict)


def settle(expect: TableExpectations | None, info: TableInfo | None) -> TableExpectations:
    """Say what to check: what the caller expects, or the keys the table has."""
    if expect is not None:
        return expect
    if info is None:
        return TableExpectations()
    return TableExpectations(keys=info.keys, timestamp=info.timestamp, created=info.created)


def check_columns(name: str, columns: Mapping[str, str], expect: TableExpectations) -> None:
    """Compare columns and types with the expectations.

    Raises:
        DataError: all differences at once.
    """
    problems = _differences(expect.columns, columns) if expect.columns else []
    problems += [
        f"the {role} column {column!r} is missing" for column, role in expect.roles.items() if column not in columns
    ]
    if expect.timestamp in columns and columns[str(expect.timestamp)] not in ("timestamp", "date"):
        problems.append(
            f"the timestamp column {expect.timestamp!r} is {columns[str(expect.timestamp)]}, not a timestamp"
        )
    if problems:
        raise DataError(f"table {name}: " + "; ".join(problems) + f". The data has {_listed(columns)}")


def check_append(name: str, columns: Mapping[str, str], existing: Mapping[str, str]) -> None:
    """Refuse an append that would change the table's columns.

    Raises:
        TableError: all differences at once.
    """
    problems = _differences(existing, columns)
    if problems:
        raise TableError(
            f"table {name}: an append cannot change columns: {'; '.join(problems)}. "
            'Write with mode="overwrite", or bring the data into the shape of the table'
        )


def check_written(name: str, written: Written, expect: TableExpectations, required: Iterable[str] = ()) -> None:
    """Compare row counts and nulls with the expectations.

    Args:
        name: of the table.
        written: what was found.
        expect: what must hold.
        required: more columns that are never null.

    Raises:
        DataError: all differences at once.
    """
    problems = []
    if expect.rows is not None and written.rows != expect.rows:
        problems.append(f"{written.rows:,} rows, expected exactly {expect.rows:,}")
    if written.rows < expect.min_rows:
        problems.append(f"{written.rows:,} rows, expected at least {expect.min_rows:,}")
    for column in dict.fromkeys([*expect.roles, *required]):
        if written.nulls.get(column):
            problems.append(f"{written.nulls[column]:,} nulls in {column!r}, which is never null")
    if problems:
        raise DataError(f"table {name}: " + "; ".join(problems) + ". Nothing was written")


def duplicate_error(name: str, columns: Iterable[str], example: object) -> DataError:
    """The error for rows that share a key."""
    return DataError(
        f"table {name}: rows repeat in ({', '.join(columns)}), for example {example}; they must be unique. "
        "Nothing was written"
    )


def taken_error(name: str, columns: Iterable[str], example: object) -> DataError:
    """The error for appended rows whose keys the table has already."""
    return DataError(
        f"table {name}: keys ({', '.join(columns)}) of the new rows are in the table already, for example {example}; "
        'they must be unique. Merge the rows instead (write_table mode "merge"). Nothing was written'
    )


def _differences(wanted: Mapping[str, str], got: Mapping[str, str]) -> list[str]:
    missing = [f"column {column!r} ({kind}) is missing" for column, kind in wanted.items() if column not in got]
    surplus = [f"column {column!r} ({kind}) is not expected" for column, kind in got.items() if column not in wanted]
    other = [
        f"column {column!r} is {got[column]}, expected {kind}"
        for column, kind in wanted.items()
        if column in got and got[column] != kind
    ]
    return missing + surplus + other


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{column} {kind}" for column, kind in columns.items())
