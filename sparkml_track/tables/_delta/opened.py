"""Delta tables as they lie there: found by name and version, read, compared."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from sparkml_track.errors import TableError
from sparkml_track.governance.governor import Governor
from sparkml_track.governance.grants import Principal
from sparkml_track.governance.sources.watch import marked
from sparkml_track.refs import TableRef
from sparkml_track.schema import PROPERTY_OWNER
from sparkml_track.tables._base import Tables
from sparkml_track.tables._delta import log, outcomes
from sparkml_track.tables._delta import spark as spark_files
from sparkml_track.tables._delta.actions import versions
from sparkml_track.tables._delta.added import added_files
from sparkml_track.tables._delta.known import Known, KnownVersions
from sparkml_track.tables._delta.locations import Location, location_of
from sparkml_track.tables._rows.arguments import check_moment, column_list
from sparkml_track.tables._rows.arrow import normalised
from sparkml_track.tables._rows.columns import column_names, comments_of, parse_columns, parse_roles
from sparkml_track.tables._rows.constraints import PREFIX, constraints_of
from sparkml_track.tables._rows.difference import check_keys, difference, filled, shared_columns
from sparkml_track.tables._rows.errors import no_columns, no_session, no_table, no_version
from sparkml_track.tables._rows.feed import check_range, feed_of, is_fed, no_feed
from sparkml_track.tables._rows.moments import version_at
from sparkml_track.tables._values import (
    DataFile,
    Moment,
    TableInfo,
    TableVersion,
    check_name,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


_COMMIT = re.compile(r"(\d{20})\.json")


class OpenedTables(Tables):
    """The reading part of ``DeltaTables``."""

    durable: ClassVar[bool] = True

    def __init__(
        self,
        root: str | Path,
        spark: SparkSession | None = None,
        *,
        lineage: bool = True,
        who: Principal | None = None,
    ) -> None:
        self.spark = spark is not None
        self._session = spark
        self._root = location_of(root)
        self._known = KnownVersions()
        self.root = self._root.path
        #: What goes with each call.
        self.governor = Governor(str(self._root), lineage=lineage, who=who)

    def diff(self, name: str, before: Moment, after: Moment | None = None, *, keys: Sequence[str] = ()) -> pa.Table:
        self._ask(name)
        (one, old), (two, new) = (self._open(name, moment) for moment in (before, after))
        infos = info_of(one, old), info_of(two, new)
        keys = column_list(name, "keys", keys) or tuple(infos[1].roles)
        check_keys(name, keys, *infos)
        columns = shared_columns(name, infos[0].columns, infos[1].columns)
        paths = [set(present(found, ref)) for found, ref in ((one, old), (two, new))]
        if self._session is None or log.partitions_of(one) or log.partitions_of(two):
            held = [normalised(log.to_arrow(found, name, None), name) for found in (one, two)]
            return difference(*filled(held, columns), keys, name)
        # A file that both versions have holds the same rows in both.
        only = [
            spark_files.read_files(self._session, sorted(paths[n] - paths[1 - n]), log.schema_of(found))
            for n, found in enumerate((one, two))
        ]
        return normalised(spark_files.difference(only[0], only[1], columns, keys, name), name)

    def changes(self, name: str, since: int, until: int | None = None) -> pa.Table:
        check_range(name, since, until)
        self._ask(name)
        last = self.describe(name if until is None else TableRef(name, str(self._path(name)), until))
        if since > last.ref.version:
            raise no_version(TableRef(name, last.ref.path, since), last.ref.version)
        if not is_fed(self.describe(TableRef(name, last.ref.path, since)).properties):
            raise no_feed(name, since)
        found, _ = self._open(last.ref)
        self.governor.noted(last.ref)
        return feed_of(log.feed(found, name, since), list(last.columns), name)

    def files(self, table: TableRef | str) -> tuple[str, ...]:
        found, ref = self._read(table)
        if by := log.partitions_of(found):
            raise TableError(
                f"table {ref.name} is partitioned by {', '.join(by)}, which its files do not hold: read it by read or "
                "to_arrow"
            )
        return tuple(sorted(map(str, present(found, ref))))

    def data_files(self, table: TableRef | str) -> tuple[DataFile, ...]:
        self._ask(self._name_of(table))
        known = self._looked_up(table)
        self.governor.noted(known.info.ref)
        if not location_of(known.info.ref.path).all_there(known.places):
            raise no_version(known.info.ref)
        return known.files

    def pin(self, name: str, at: Moment | None = None) -> TableRef:
        return self._open(name, at)[1] if at is not None else self._looked_up(name).info.ref

    def read(self, table: TableRef | str, at: Moment | None = None) -> DataFrame:
        found, ref = self._read(table, at)
        if self._session is None:
            raise no_session(ref.name)
        files, schema = present(found, ref), log.schema_of(found)
        if log.partitions_of(found):
            return spark_files.read_partitions(self._session, log.partition_values(found, found.location), schema)
        return spark_files.read_files(self._session, files, schema)

    def to_arrow(
        self, table: TableRef | str, columns: Sequence[str] | None = None, at: Moment | None = None
    ) -> pa.Table:
        found, ref = self._read(table, at)
        there = info_of(found, ref).columns
        missing = [column for column in columns or () if column not in there]
        if missing:
            raise no_columns(ref, missing, there)
        present(found, ref)
        rows = log.to_arrow(found, ref.name, columns)
        return rows.replace_schema_metadata(marked(rows.schema.metadata, ref))

    def head(self, table: TableRef | str, rows: int = 10, at: Moment | None = None) -> pa.Table:
        found, ref = self._read(table, at)
        present(found, ref)
        return log.head(found, ref.name, rows)

    def count(self, table: TableRef | str, at: Moment | None = None) -> int | None:
        rows = log.rows_of(self._read(table, at)[0])
        return int(rows) if math.isfinite(rows) else None

    def appended(self, name: str, after: int, to: int, *, skip_changes: bool = False) -> DataFrame:
        last, _ = self._read(name, to)
        if self._session is None:
            raise no_session(name)
        added = added_files(last.location, range(after + 1, to + 1), skip_changes=skip_changes)
        return spark_files.read_any(self._session, added, log.schema_of(last))

    def done(self, name: str, application: str) -> int | None:
        return log.done(self._open(name)[0], application)

    def describe(self, table: TableRef | str) -> TableInfo:
        return self._looked_up(table).info

    def exists(self, name: str) -> bool:
        return log.is_table(self._path(name))

    def names(self) -> tuple[str, ...]:
        with outcomes.translated(f"listing the tables of {self._root}", self._root):
            folders = self._root.names()
        return tuple(name for name in folders if log.is_table(self._root / name))

    def history(self, name: str) -> tuple[TableVersion, ...]:
        return versions(self._open(name)[0])

    def _looked_up(self, table: TableRef | str) -> Known:
        """What is known of a version: read once for this object, however often it is asked."""
        path = location_of(table.path) if isinstance(table, TableRef) else self._path(table)
        found = self._known.get(path, table.version if isinstance(table, TableRef) else None)
        if found is None:
            opened, ref = self._open(table)
            values = log.partition_values(opened, path) if log.partitions_of(opened) else {}
            paths = sorted(log.files_of(opened, path))
            files = tuple(DataFile(str(file), values.get(file, {})) for file in paths)
            found = Known(info_of(opened, ref), files, tuple(paths))
            self._known.keep(path, found)
        return found

    def owner(self, name: str) -> str | None:
        """Whose a table is, None if nobody was named or there is no table."""
        found = log.open_log(self._path(name))
        return None if found is None else log.properties_of(found).get(PROPERTY_OWNER) or None

    def newest(self, name: str) -> int:
        """The latest version as the names of commits say, -1 for none; quicker than to open the table."""
        names = (self._path(name) / "_delta_log").names()
        return max((int(found[1]) for each in names if (found := _COMMIT.fullmatch(each))), default=-1)

    def _name_of(self, table: TableRef | str) -> str:
        """Of the table that is read: a reference reads what its path says, whatever it is called."""
        if isinstance(table, str):
            return table
        root, _, name = table.path.rpartition("/")
        return name if root == str(self._root) else table.name

    def _ask(self, name: str) -> None:
        self.governor.ask("SELECT", name, lambda: self.owner(name))

    def _read(self, table: TableRef | str, at: Moment | None = None) -> tuple[log.Log, TableRef]:
        """A version whose rows are wanted."""
        self._ask(self._name_of(table))
        found, ref = self._open(table, at)
        self.governor.noted(ref)
        return found, ref

    def _ref(self, name: str, found: log.Log) -> TableRef:
        return TableRef(name, str(self._path(name)), int(found.version()))

    def _path(self, name: str) -> Location:
        return self._root / check_name(name)

    def _writable(self, name: str) -> Location:
        """Where a table lies, after seeing that a commit can be made once there."""
        path = self._path(name)
        path.check()
        return path

    def _open(self, table: TableRef | str, at: Moment | None = None) -> tuple[log.Log, TableRef]:
        if isinstance(table, TableRef):
            name, path, at = check_name(table.name), location_of(table.path), table.version
        else:
            name, path = table, self._path(table)
        check_moment(name, at)
        if isinstance(at, datetime):
            at = version_at(name, self.history(name), at)
        found = log.open_log(path, at)
        if found is None:
            raise no_table(name, self.names(), str(self._root))
        return found, TableRef(name, str(path), int(found.version()))


def info_of(found: log.Log, ref: TableRef) -> TableInfo:
    schema = log.schema_of(found)
    roles = parse_roles(schema)
    by_role = {role: column for column, role in roles.items() if role != "key"}
    return TableInfo(
        ref,
        column_names(parse_columns(schema, ref.name)),
        tuple(column for column, role in roles.items() if role == "key"),
        by_role.get("timestamp"),
        by_role.get("created"),
        log.description_of(found),
        comments_of(schema),
        {key: value for key, value in log.properties_of(found).items() if not key.startswith(PREFIX)},
        constraints_of(log.properties_of(found)),
        tuple(log.partitions_of(found)),
    )


def present(found: log.Log, ref: TableRef) -> list[Location]:
    """The version's files, all of which are there."""
    paths = log.files_of(found, found.location)
    if not found.location.all_there(paths):
        raise no_version(ref)
    return paths
