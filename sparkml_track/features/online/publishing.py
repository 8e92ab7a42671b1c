"""From a version of a feature table to an online store: the newest row of each key."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError, OnlineStoreError, SpecError, TableError
from sparkml_track.online_stores import OnlineStore, Publication, open_online_store, utc_schema
from sparkml_track.refs import TableRef
from sparkml_track.tables import TableInfo, Tables

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

__all__ = ["Published", "opened", "publish"]

_THERE = "_sparkml_there"


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did.

    Attributes:
        ref: the version that the store has now.
        address: of the store, without secrets.
        rows: stored by this call: all, or those of keys that changed.
        removed: keys that are gone since the version before.
        whole: whether all rows were replaced; else only those that changed since the version before.
        seconds: the whole call.
    """

    ref: TableRef
    address: str
    rows: int
    removed: int
    whole: bool
    seconds: float


@contextmanager
def opened(store: OnlineStore | str | Path) -> Iterator[OnlineStore]:
    """The store itself, which stays open; or the one at an address, for the block."""
    if isinstance(store, OnlineStore):
        yield store
        return
    with closing(open_online_store(store)) as one:
        yield one


def publish(tables: Tables, info: TableInfo, store: OnlineStore, max_age: timedelta | None = None) -> Published:
    """Publish a version of a feature table.

    Where the store has an earlier version with the same columns, what changed since then is published, else all rows.

    Args:
        tables: with a session.
        info: of the version.
        store: where to.
        max_age: see ``Publication``.

    Raises:
        DataError: a type cannot be kept, or Spark failed.
        OnlineStoreError: the store is away or refuses.
        TableError: the table cannot be read.
        SpecError: ``max_age`` is not longer than nothing.
    """
    if max_age is not None and max_age <= timedelta():
        raise SpecError(f"max_age is {max_age}, it must be longer than nothing; leave it out for rows of any age")
    started = time.monotonic()
    with translated(f"publishing {info.ref}", DataError):
        rows = tables.read(info.ref)
        times = {each.version: each.time for each in tables.history(info.ref.name)}
        what = _publication(rows, info, times, max_age)
        base = _base(store.publication(what.table), what, times)
        changed = None if base is None else _amended(tables, rows, info, store, what, base)
        count, removed = changed or (_published(rows, info, store, what), 0)
    return Published(info.ref, store.address, count, removed, changed is None, time.monotonic() - started)


def _publication(
    rows: DataFrame, info: TableInfo, times: Mapping[int, float], max_age: timedelta | None
) -> Publication:
    schema, committed = utc_schema(rows.limit(0).toArrow().schema), times.get(info.ref.version, 0.0)
    return Publication(info.ref.name, info.ref.version, info.keys, schema, info.timestamp, max_age, committed)


def _base(there: Publication | None, what: Publication, times: Mapping[int, float]) -> int | None:
    """The version in the store, if it is an earlier one of this very table, with the same columns."""
    if there is None or there.version >= what.version or not there.fits(what):
        return None
    return there.version if times.get(there.version) == there.committed else None


def _published(rows: DataFrame, info: TableInfo, store: OnlineStore, what: Publication) -> int:
    made = _newest(rows, info).toArrow()
    store.publish(what, made.to_batches())
    return int(made.num_rows)


def _amended(
    tables: Tables, rows: DataFrame, info: TableInfo, store: OnlineStore, what: Publication, base: int
) -> tuple[int, int] | None:
    """Publishes what changed: how many rows, and how many keys are gone. None where all must be published."""
    try:
        difference = tables.diff(what.table, base, what.version, keys=tuple(info.roles))
    except TableError:  # files of the earlier version are gone
        return None
    made = _of_keys(rows, info, difference.select(list(info.keys)))
    is_there = made[_THERE].is_valid()
    new, gone = made.filter(is_there), made.filter(made[_THERE].is_null()).select(list(info.keys))
    new = new.drop_columns([_THERE]).select(what.schema.names)
    try:
        store.amend(what, base, new.to_batches(), gone.to_batches())
    except OnlineStoreError:
        if store.version(what.table) != base:  # another publisher was quicker
            return None
        raise
    return int(new.num_rows), int(gone.num_rows)


def _of_keys(rows: DataFrame, info: TableInfo, keys: pa.Table) -> pa.Table:
    """The newest row of each of these keys; one whose ``_THERE`` is null where the key has none."""
    names = list(info.keys)
    asked = rows.sparkSession.createDataFrame(keys.group_by(names).aggregate([]))
    newest = _newest(rows.join(F.broadcast(asked), names, "left_semi"), info).withColumn(_THERE, F.lit(1))
    return asked.join(newest, names, "left").toArrow()


def _newest(rows: DataFrame, info: TableInfo) -> DataFrame:
    if info.timestamp is None:
        return rows
    order = [_column(name) for name in (info.timestamp, info.created) if name]
    # As one struct, so that a null in the newest row stays.
    row = F.max_by(F.struct(*map(_column, rows.columns)), F.struct(*order)).alias("_row")
    return rows.groupBy(*map(_column, info.keys)).agg(row).select("_row.*")


def _column(name: str) -> Column:
    return F.col("`" + name.replace("`", "``") + "`")
