"""Tables as they were known at a moment: what is read of them is changed after it, what is written goes elsewhere.

Under an audit a builder runs as ever. It reads the tables that are there, each at one version in all runs, with the
rows after a moment taken out or changed; what it writes lies in tables of the run's own, and is read from there.
"""

# ruff: noqa: D102 - the contract of tables speaks

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkml_track.errors import DataError, TableError
from sparkml_track.features.leaks.report import Known
from sparkml_track.refs import TableRef
from sparkml_track.tables import TableExpectations, TableInfo, Tables

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkml_track.tables import Moment

__all__ = ["CutTables", "Sources", "described"]

#: Methods that change a table which is there, by its name.
_CHANGES = ("merge", "delete", "update", "set_properties", "comment", "add_constraints", "drop_constraint", "optimize")


@dataclass
class Sources:
    """The tables that are there, each at the version it had when it was first read.

    Attributes:
        tables: that hold them.
        known: table to when its rows became known, as the caller says.
        seen: the versions that were read.
    """

    tables: Tables
    known: Mapping[str, Known]
    seen: dict[str, TableInfo] = field(default_factory=dict)

    def info(self, name: str) -> TableInfo:
        """A table at its version.

        Raises:
            TableError: there is none.
            DataError: it has no column that the caller named.
        """
        if name not in self.seen:
            info = self.tables.describe(self.tables.latest(name))
            known = self.known.get(name)
            missing = [column for column in (known.time, *known.columns) if column not in info.columns] if known else []
            if missing:
                raise DataError(f"{info.ref} has no column {', '.join(missing)}; it has {', '.join(info.columns)}")
            self.seen[name] = info
        return self.seen[name]

    def moved(self, info: TableInfo) -> Known | None:
        """When the rows of a table became known; None for all time."""
        return self.known.get(info.ref.name) or (Known(info.timestamp) if info.timestamp else None)

    def rows(self, ref: TableRef, cut: datetime | None) -> DataFrame:
        """The rows of a version as they were known at a moment; as they are for None."""
        rows, known = self.tables.read(ref), self.moved(self.info(ref.name))
        return rows if cut is None or known is None else _cut(rows, known, cut)


class CutTables:
    """For ``FeatureStore``: reads and writes as tables do; what cannot be cut is refused.

    Args:
        sources: the tables that are there.
        own: empty tables, which take what is written.
        cut: the moment; None to leave rows as they are.
    """

    spark = True
    durable = False
    root = None

    def __init__(self, sources: Sources, own: Tables, cut: datetime | None) -> None:
        self._sources, self._own, self._cut = sources, own, cut

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(Tables, name):
            raise AttributeError(name)
        if name in _CHANGES:
            return self._changing(name)

        def refused(*_: object, **__: object) -> Any:
            raise TableError(f"tables.{name} is not possible under an audit; read tables by read or to_arrow")

        return refused

    def read(self, table: TableRef | str, at: Moment | None = None) -> DataFrame:
        name = table if isinstance(table, str) else table.name
        if self._own.exists(name):
            return self._own.read(table, at)
        ref = table if isinstance(table, TableRef) else self.pin(name, at)
        return self._sources.rows(ref, self._cut)

    def to_arrow(
        self, table: TableRef | str, columns: Sequence[str] | None = None, at: Moment | None = None
    ) -> pa.Table:
        rows = self.read(table, at)
        return (rows.select(*[F.col(f"`{column}`") for column in columns]) if columns else rows).toArrow()

    def write(self, name: str, data: Any, **how: Any) -> TableRef:
        if how.get("mode", "error") == "append" or (how.get("mode") == "overwrite" and not how.get("expect")):
            self._own_copy(name)
        return self._own.write(name, data, **how)

    def drop(self, name: str) -> str:
        if not self._own.exists(name):
            raise TableError(f"table {name} is not dropped under an audit")
        return self._own.drop(name)

    def describe(self, table: TableRef | str) -> TableInfo:
        name = table if isinstance(table, str) else table.name
        return self._own.describe(table) if self._own.exists(name) else self._sources.info(name)

    def pin(self, name: str, at: Moment | None = None) -> TableRef:
        if self._own.exists(name):
            return self._own.pin(name, at)
        return self._sources.info(name).ref if at is None else self._sources.tables.pin(name, at)

    def latest(self, name: str) -> TableRef:
        return self.pin(name)

    def exists(self, name: str) -> bool:
        return self._own.exists(name) or self._sources.tables.exists(name)

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({*self._own.names(), *self._sources.tables.names()}))

    def _changing(self, method: str) -> Callable[..., Any]:
        def change(name: str, *args: Any, **how: Any) -> Any:
            self._own_copy(name)
            return getattr(self._own, method)(name, *args, **how)

        return change

    def _own_copy(self, name: str) -> None:
        """The table as it was known, among the run's own: only that one is changed."""
        if not self._own.exists(name) and self._sources.tables.exists(name):
            info = self._sources.info(name)
            expect = TableExpectations(keys=info.keys, timestamp=info.timestamp, created=info.created)
            self._own.write(name, self.read(name), expect=expect)


def _cut(rows: DataFrame, known: Known, cut: datetime) -> DataFrame:
    time = F.col(f"`{known.time}`")
    before = time <= F.lit(cut)
    if not known.columns:
        return rows.where(before)
    later = ~F.coalesce(before, F.lit(False))
    changed = {known.time, *known.columns}
    return rows.select(
        *[
            F.when(later, _other(column, kind)).otherwise(F.col(f"`{column}`")).alias(column)
            if column in changed
            else F.col(f"`{column}`")
            for column, kind in rows.dtypes
        ]
    )


def _other(column: str, kind: str) -> Column:
    """Another value of a column's type; null where there is none, and of a null."""
    value = F.col(f"`{column}`")
    if kind == "boolean":
        return ~value
    if kind == "string":
        return F.concat(F.reverse(value), F.lit("~"))
    if kind == "date":
        return F.date_add(value, 1)
    if kind in ("timestamp", "timestamp_ntz"):
        # Later still: what has not happened at the cut has not happened then either.
        return value + F.expr("interval '1' day")
    if kind in ("tinyint", "smallint", "int", "bigint"):
        # No value is its own opposite in two's complement, and none overflows.
        return F.bitwise_not(value).cast(kind)
    if kind in ("float", "double") or kind.startswith("decimal("):
        return (-value - F.lit(1).cast(kind)).cast(kind)
    return F.lit(None).cast(kind)


def described(sources: Sources) -> tuple[dict[str, str], tuple[str, ...]]:
    """What was changed in which table, and which tables were left."""
    moved: dict[str, str] = {}
    timeless: list[str] = []
    for name, info in sources.seen.items():
        known = sources.moved(info)
        if known is None:
            timeless.append(name)
        elif known.columns:
            columns = dict.fromkeys((known.time, *known.columns))
            moved[name] = f"{', '.join(columns)} changed in rows whose {known.time} is later"
        else:
            moved[name] = f"rows whose {known.time} is later taken out"
    return moved, tuple(timeless)
