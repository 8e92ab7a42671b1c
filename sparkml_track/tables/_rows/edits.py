"""Rows changed by delta-rs, in this process: those of a table, or of an Arrow table in a folder that is removed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from sparkml_track.errors import TableError
from sparkml_track.tables._rows.arrow import first_duplicate, null_counts
from sparkml_track.tables._rows.errors import first_line, is_foreign, unknown_columns
from sparkml_track.tables._rows.expect import Written, check_append, check_columns, check_written, duplicate_error
from sparkml_track.tables._rows.feed import FEED, TIME, VERSION, feed_of
from sparkml_track.tables._values import MergeRule, TableExpectations, TableInfo


def deleted(table: DeltaTable, where: str, properties: CommitProperties | None = None) -> None:
    """Delete rows."""
    table.delete(_whole(where), commit_properties=properties)


def updated(
    table: DeltaTable, where: str | None, changes: Mapping[str, str], properties: CommitProperties | None = None
) -> None:
    """Update rows."""
    table.update(_changes(changes), predicate=_whole(where), commit_properties=properties)


def merged(
    table: DeltaTable,
    rows: pa.Table,
    keys: Sequence[str],
    rules: Sequence[MergeRule],
    properties: CommitProperties | None = None,
) -> None:
    """Merge rows by rules."""
    predicate = " AND ".join(f"target.{_quoted(key)} = source.{_quoted(key)}" for key in keys)
    merger = table.merge(rows, predicate, source_alias="source", target_alias="target", commit_properties=properties)
    for rule in rules:
        condition = _whole(rule.condition)
        action = "by_source_" + rule.then if rule.when == "not_matched_by_source" else rule.then
        names = {
            "update": "when_matched_update",
            "delete": "when_matched_delete",
            "insert": "when_not_matched_insert",
            "by_source_update": "when_not_matched_by_source_update",
            "by_source_delete": "when_not_matched_by_source_delete",
        }
        if rule.then == "delete":
            merger = getattr(merger, names[action])(predicate=condition)
        elif rule.changes is None:
            merger = getattr(merger, names[action] + "_all")(predicate=condition)
        else:
            merger = getattr(merger, names[action])(_changes(rule.changes), predicate=condition)
    merger.execute()


@dataclass(frozen=True, slots=True)
class Edited:
    """Rows after a change, and what it did to each, where that was asked for."""

    rows: pa.Table
    feed: pa.Table | None


def edited(rows: pa.Table, action: str, edit: Callable[[DeltaTable], None], *, feed: bool = False) -> Edited | None:
    """Change an Arrow table as a table of this content would be changed; None if nothing changes.

    Raises:
        TableError: delta-rs refused; ``action`` is the subject.
    """
    with tempfile.TemporaryDirectory(prefix="sparkml-rows-") as folder:
        try:
            write_deltalake(folder, rows, configuration={FEED: "true"} if feed else None)
            edit(DeltaTable(folder))
            table = DeltaTable(folder)
            if not table.version():
                return None
            changes = pa.table(table.load_cdf(starting_version=1).read_all()) if feed else None
            kept = changes and feed_of(changes, rows.column_names, folder).drop_columns([VERSION, TIME])
            return Edited(table.to_pyarrow_table(), kept)
        except Exception as error:
            if not is_foreign(error):
                raise
            raise TableError(f"{action} failed: {first_line(error)}") from error


def check_changes(info: TableInfo, changes: Mapping[str, str]) -> None:
    """Refuse an update of columns that are not there, or that say which row it is.

    Raises:
        TableError: names them.
    """
    if unknown := [column for column in changes if column not in info.columns]:
        raise unknown_columns(info.ref, unknown, info.columns)
    if fixed := [f"{column} ({info.roles[column]})" for column in changes if column in info.roles]:
        raise TableError(
            f"table {info.ref.name}: an update cannot change {', '.join(fixed)}: that says which row it is. Delete the "
            "row and append another"
        )
    if not changes:
        raise TableError(f"table {info.ref.name}: an update needs changes={{column: expression}}, and got none")


def check_source(info: TableInfo, columns: Mapping[str, str], keys: Sequence[str], rules: Sequence[MergeRule]) -> None:
    """Compare what comes to a merge with the table and the rules.

    Raises:
        DataError: keys that are missing.
        TableError: columns that are missing, there or here; rules that would leave a key null; no rules or keys.
    """
    name = info.ref.name
    if not keys or not rules:
        raise TableError(f"table {name}: a merge needs keys and rules, and got {'no rules' if keys else 'no keys'}")
    check_columns(name, columns, TableExpectations(keys=tuple(keys)))
    if missing := [key for key in keys if key not in info.columns]:
        raise unknown_columns(info.ref, missing, info.columns)
    if any(rule.changes is None and rule.then != "delete" for rule in rules):
        check_append(name, columns, info.columns)
    for rule in rules:
        if unknown := [column for column in rule.changes or () if column not in info.columns]:
            raise unknown_columns(info.ref, unknown, info.columns)
        left_out = [role for role in info.roles if rule.then == "insert" and role not in (rule.changes or info.roles)]
        if left_out:
            raise TableError(f"table {name}: an insert must give {', '.join(left_out)}, which is never null")


def check_rows(info: TableInfo, rows: pa.Table, keys: Sequence[str], rules: Sequence[MergeRule]) -> None:
    """Refuse rows that come to a merge with null or repeated keys.

    Raises:
        DataError: the first of them.
    """
    taken = any(rule.changes is None and rule.then != "delete" for rule in rules)
    never_null = dict.fromkeys([*keys, *(info.roles if taken else ())])
    check_written(info.ref.name, Written(rows.num_rows, null_counts(rows)), TableExpectations(), never_null)
    if twice := first_duplicate(rows, keys):
        raise duplicate_error(info.ref.name, keys, twice)


def _whole(expression: str | None) -> str | None:
    """In parentheses: delta-rs reads an expression as far as it understands it and drops the rest without a word."""
    return None if expression is None else f"({expression})"


def _changes(changes: Mapping[str, str]) -> dict[str, str]:
    return {_quoted(column): f"({expression})" for column, expression in changes.items()}


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"
