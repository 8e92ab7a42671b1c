"""The rows of all groups in files that slots map, and where each group lies in them.

Spark shuffles and sorts the rows by key once; its tasks write them as they come, so that no group has to fit into
memory there. Inside of a group rows are sorted by a hash of all columns, so that the same rows always come in
the same order.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkml_track.engine.identity.data_digest import data_digest
from sparkml_track.errors import DataError
from sparkml_track.frontdoors._groups import worker
from sparkml_track.frontdoors._groups.objective import GroupRows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Groups", "is_key", "is_spark", "label", "stage"]

_ROWS_OF_BATCH = 10_000
#: Spark types, as JSON, that it has no hash of.
_UNHASHED = ('"map"', '"variant"')


@dataclass(frozen=True)
class Groups:
    """All groups, the largest first; of one size by their keys.

    Attributes:
        keys: one row for each group.
        rows: where they lie.
        params: the keys as they are recorded.
        counts: rows of each group.
        digest: of all rows, whatever their order.
    """

    keys: pa.Table
    rows: GroupRows
    params: Sequence[Mapping[str, object]]
    counts: Sequence[int]
    digest: str

    def __len__(self) -> int:
        return len(self.params)


def is_spark(data: object) -> bool:
    """Whether this is a data frame of Spark."""
    return type(data).__module__.split(".")[0] == "pyspark"


def label(value: object) -> object:
    """A key as it is recorded: itself if it is plain, else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def stage(data: Any, keys: Sequence[str], folder: Path) -> Groups:
    """Writes the rows.

    Args:
        data: a data frame of Spark or pandas, or an Arrow table, whose columns were checked.
        keys: of its columns.
        folder: takes the files.

    Raises:
        DataError: it cannot be computed, has no rows, or is written where the driver does not see it.
    """
    index, digest = _by_spark(data, keys, folder) if is_spark(data) else _here(data, keys, folder)
    if not index.num_rows:
        raise DataError("the data frame has no rows, so there is no group to train; check its filters and joins")
    return _groups(index, keys, digest, local=is_spark(data))


def _by_spark(data: DataFrame, keys: Sequence[str], folder: Path) -> tuple[pa.Table, str]:
    from pyspark.sql.types import LongType, StringType, StructField, StructType

    from sparkml_track.adapters.spark.by_value import sent_by_value
    from sparkml_track.adapters.spark.errors import translated
    from sparkml_track.adapters.spark.functions import functions_of

    f = functions_of(data)

    with translated("writing the rows of the groups", DataError), sent_by_value(worker):
        fields = list(data.schema)
        hashed = [_column(f, field.name) for field in fields if not any(each in field.json() for each in _UNHASHED)]
        by = [_column(f, key) for key in keys]
        rows = data.withColumn(worker.HASH, f.xxhash64(*hashed)).repartition(*by)
        rows = rows.sortWithinPartitions(*by, _column(f, worker.HASH))
        kinds = [StringType(), *(LongType() for _ in worker.FIELDS[1:])]
        given = [next(field for field in fields if field.name == key) for key in keys]
        given += [StructField(name, kind) for name, kind in zip(worker.FIELDS, kinds, strict=True)]
        write = partial(worker.write_groups, worker.Writing(tuple(keys), str(folder)))
        index = rows.mapInArrow(write, StructType(given)).toArrow()
    _check_seen(index, folder)
    sums = sorted(_digests(index, keys))
    return index, hashlib.sha256(json.dumps([data.schema.json(), sums]).encode()).hexdigest()[:16]


def _column(f: Any, name: str) -> Any:
    return f.col(f"`{name.replace('`', '``')}`")


def _digests(index: pa.Table, keys: Sequence[str]) -> list[str]:
    columns = [index[name].to_pylist() for name in (*keys, *worker.FIELDS[3:])]
    return [json.dumps([label(value) for value in row]) for row in zip(*columns, strict=True)]


def _check_seen(index: pa.Table, folder: Path) -> None:
    """Whether the driver sees what tasks wrote, maybe on other machines."""
    for path in pc.unique(index[worker.FIELDS[0]]).to_pylist():
        if not Path(path).is_file():
            raise DataError(
                f"Spark's workers wrote the rows of the groups under {folder}, where the driver does not see them: it "
                "is not on shared storage; give storage= a folder that is mounted at the same path on the driver and "
                "on all hosts"
            )


def _here(data: Any, keys: Sequence[str], folder: Path) -> tuple[pa.Table, str]:
    """Of data in memory, whose rows keep their order inside of a group."""
    table = data if isinstance(data, pa.Table) else _arrow(data)
    table = _plain_keys(table, keys)
    order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys])
    ordered = table.take(order).unify_dictionaries()
    ordered = ordered.append_column(worker.HASH, pa.array([0] * len(ordered), pa.int64()))
    batches = ordered.combine_chunks().to_batches(max_chunksize=_ROWS_OF_BATCH)
    parts = list(worker.write_groups(worker.Writing(tuple(keys), str(folder)), batches))
    return pa.Table.from_batches(parts) if parts else ordered.slice(0, 0), data_digest(table)


def _arrow(data: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(data, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"the pandas data frame cannot become an Arrow table: {error}; cast the column") from None


def _plain_keys(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    for key in keys:
        at, column = table.schema.get_field_index(key), table[key]
        if pa.types.is_dictionary(column.type):
            table = table.set_column(at, key, column.cast(column.type.value_type))
    return table


def _groups(index: pa.Table, keys: Sequence[str], digest: str, *, local: bool) -> Groups:
    labels = [[label(value) for value in index[key].to_pylist()] for key in keys]
    params = [dict(zip(keys, values, strict=True)) for values in zip(*labels, strict=True)]
    counts = index[worker.FIELDS[3]].to_pylist()
    order = sorted(range(len(params)), key=lambda at: (-counts[at], json.dumps(params[at], default=str)))
    file, batch, offset = (index[name].to_pylist() for name in worker.FIELDS[:3])
    numbers = {path: number for number, path in enumerate(dict.fromkeys(file))}
    places = [(numbers[file[at]], batch[at], offset[at], counts[at]) for at in order]
    names = [", ".join(f"{key}={value!r}" for key, value in params[at].items()) for at in order]
    rows = GroupRows(tuple(numbers), places, names, local)
    keyed = index.select(list(keys)).take(order)
    return Groups(keyed, rows, [params[at] for at in order], [counts[at] for at in order], digest)


def is_key(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type can name groups: those that are equal look equal."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(kind) for test in _KEYS)


_KEYS = (
    pa.types.is_signed_integer,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_decimal128,
    lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None,
)
