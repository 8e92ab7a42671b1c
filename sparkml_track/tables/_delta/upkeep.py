"""What keeps Delta tables quick, small and right: larger files, no leftovers, properties, comments, constraints."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from sparkml_track.refs import TableRef
from sparkml_track.tables._delta import cloning, files, log, outcomes
from sparkml_track.tables._delta.features import refuse_write
from sparkml_track.tables._delta.governed import recorded
from sparkml_track.tables._delta.opened import OpenedTables, info_of, present
from sparkml_track.tables._delta.rewrite import compacting
from sparkml_track.tables._delta.rewrite.compacting import Compaction
from sparkml_track.tables._delta.rewrite.landing import Plan, land
from sparkml_track.tables._rows.arguments import check_keep, check_size, column_list
from sparkml_track.tables._rows.constraints import check_held, check_properties, check_rules
from sparkml_track.tables._rows.errors import already_there, no_table, unknown_columns
from sparkml_track.tables._rows.feed import check_feed
from sparkml_track.tables._values import FILE_SIZE, Moment

#: The folder, under the root, of tables that were dropped: no table can have this name.
DROPPED = ".dropped"


class KeptTables(OpenedTables):
    """The housekeeping part of ``DeltaTables``."""

    @recorded("OPTIMIZE")
    def optimize(self, name: str, *, by: Sequence[str] = (), size: int = FILE_SIZE) -> TableRef:
        by = column_list(name, "by", by)
        check_size(name, size)
        found, ref = self._open(name)
        columns = info_of(found, ref).columns
        if unknown := [column for column in by if column not in columns]:
            raise unknown_columns(ref, unknown, columns)
        action, session = f"optimizing table {name}", self._session
        wanted = Compaction(self._writable(name), tuple(by), size)

        def compute(found: log.Log) -> Plan | None:
            refuse_write(found, name, removes=False)
            return compacting.compute(session, found, wanted)

        return TableRef(name, ref.path, land(wanted.path, action, None, compute))

    @recorded("CLONE", "target")
    def clone(self, name: str, target: str, at: Moment | None = None) -> TableRef:
        found, ref = self._read(name, at)
        refuse_write(found, name, removes=False)
        present(found, ref)
        path = self._writable(target)
        if self.exists(target):
            raise already_there(target)
        return TableRef(target, str(path), cloning.clone(found, path))

    @recorded("DROP")
    def drop(self, name: str) -> str:
        path = self._path(name)
        if not self.exists(name):
            raise no_table(name, self.names(), str(self._root))
        aside = self._root / DROPPED / f"{name}.{datetime.now(UTC):%Y%m%dT%H%M%S}.{uuid.uuid4().hex[:8]}"
        with outcomes.translated(f"dropping table {name}", path):
            path.set_aside(aside)
        return str(aside)

    @recorded("VACUUM")
    def vacuum(self, name: str, keep: timedelta = timedelta(days=7), *, dry_run: bool = False) -> tuple[str, ...]:
        check_keep(name, keep)
        found, path = self._open(name)[0], self._path(name)
        deleted = log.vacuum(found, name, keep, dry_run=dry_run)
        with outcomes.translated(f"sweeping table {name}", path):
            named = {file.below(path) for file in log.files_of(found, path)} | log.ever_named(path)
            left = files.sweep_leftovers(path, named, keep, dry_run=dry_run)
        return tuple(sorted({*deleted, *left}))

    @recorded("SET PROPERTIES")
    def set_properties(self, name: str, properties: Mapping[str, str]) -> TableRef:
        check_properties(name, properties)
        check_feed(name, properties, self.describe(name).columns)
        action = f"setting properties of table {name}"
        return self._altered(name, action, lambda found: _set_properties(found, action, properties))

    @recorded("COMMENT")
    def comment(self, name: str, text: str, column: str | None = None) -> TableRef:
        found, ref = self._open(name)
        columns = info_of(found, ref).columns
        if column is not None and column not in columns:
            raise unknown_columns(ref, [column], columns)
        action = f"commenting table {name}"
        return self._altered(name, action, lambda found: _comment(found, action, text, column))

    @recorded("ADD CONSTRAINTS")
    def add_constraints(self, name: str, rules: Mapping[str, str]) -> TableRef:
        check_rules(name, rules)
        action = f"adding constraints to table {name}"
        return self._altered(name, action, lambda found: _add_constraints(found, action, rules))

    @recorded("DROP CONSTRAINT")
    def drop_constraint(self, name: str, constraint: str) -> TableRef:
        action = f"dropping constraint {constraint} of table {name}"
        return self._altered(name, action, lambda found: _drop_constraint(found, action, constraint))

    def _altered(self, name: str, action: str, alter: Callable[[log.Log], int]) -> TableRef:
        def attempt() -> int:
            found, _ = self._open(name)
            refuse_write(found, name, removes=False)
            return alter(found)

        self._open(name)
        self._writable(name)
        return TableRef(name, str(self._path(name)), outcomes.retried(action, attempt))


def _set_properties(found: log.Log, action: str, properties: Mapping[str, str]) -> int:
    def alter(found: log.Log, once: log.Properties) -> None:
        found.alter.set_table_properties(dict(properties), raise_if_not_exists=False, commit_properties=once)

    return log.edit(found, action, alter)


def _comment(found: log.Log, action: str, text: str, column: str | None) -> int:
    def alter(found: log.Log, once: log.Properties) -> None:
        if column is None:
            found.alter.set_table_description(text, commit_properties=once)
        else:
            found.alter.set_column_metadata(column, {"comment": text}, commit_properties=once)

    return log.edit(found, action, alter)


def _add_constraints(found: log.Log, action: str, rules: Mapping[str, str]) -> int:
    # delta-rs reads a rule as far as it understands it; this reads it whole.
    check_held(action.rpartition(" ")[2], pa.schema(found.schema().to_arrow()).empty_table(), rules)
    return log.edit(found, action, lambda log, once: log.alter.add_constraint(dict(rules), commit_properties=once))


def _drop_constraint(found: log.Log, action: str, name: str) -> int:
    return log.edit(found, action, lambda log, once: log.alter.drop_constraint(name, commit_properties=once))
