"""What Spark's tasks do with files in an object store: pyarrow writes and reads them, as Spark needs a jar for it.

It is pickled by value and runs where nothing of this package is installed, so it imports nothing of ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

#: What a writing task says of each file: name, bytes, values of the partition columns as JSON, and the footer.
WRITTEN = "name string, size bigint, partition string, footer binary"
_WRITTEN = pa.schema([("name", pa.string()), ("size", pa.int64()), ("partition", pa.string()), ("footer", pa.binary())])
# A row group is the least that one task reads.
_ROWS_PER_GROUP = 65_536
_ROWS_PER_BATCH = 8_192


def filesystem(options: dict[str, Any]) -> Any:
    """The store, as pyarrow reaches it."""
    from pyarrow import fs

    given = dict(options)
    tries = fs.AwsStandardS3RetryStrategy(max_attempts=given.pop("attempts"))
    return fs.S3FileSystem(retry_strategy=tries, **given)


@dataclass(frozen=True)
class Writing:
    """One task's share of a write.

    Attributes:
        options: how the store is reached.
        folder: bucket and key.
        names: of the columns, which come by position.
        by: partition columns; the rows come sorted by them.
    """

    options: dict[str, Any]
    folder: str
    names: tuple[str, ...]
    by: tuple[str, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Write rows, and say what files there are."""
        from pyspark import TaskContext

        context = TaskContext.get()
        assert context is not None
        # A task that is tried again writes other files; those of the try that failed are named by nobody.
        prefix = f"part-{context.partitionId():05d}-{context.taskAttemptId()}"
        store, number, current = filesystem(self.options), 0, None
        for batch in batches:
            for values, rows in _parted(pa.Table.from_batches([batch]).rename_columns(self.names), self.by):
                if current is None or current.values != values:
                    if current is not None:
                        yield current.closed()
                    current = _File(store, self.folder, f"{prefix}-{number:05d}.parquet", values)
                    number += 1
                current.add(rows)
        if current is not None:
            yield current.closed()


@dataclass
class _File:
    """A file that is being written."""

    store: Any
    folder: str
    name: str
    values: dict[str, str | None]
    waiting: list[pa.Table] = field(default_factory=list)
    footers: list[Any] = field(default_factory=list)
    writer: Any = None
    sink: Any = None

    def add(self, rows: pa.Table) -> None:
        self.waiting.append(_in_utc(rows))
        if sum(each.num_rows for each in self.waiting) >= _ROWS_PER_GROUP:
            self._flush()

    def closed(self) -> pa.RecordBatch:
        self._flush()
        self.writer.close()
        size = self.sink.tell()
        self.sink.close()
        out = pa.BufferOutputStream()
        self.footers[0].write_metadata_file(out)
        row = {"name": self.name, "size": size, "partition": json.dumps(self.values)}
        return pa.RecordBatch.from_pylist([row | {"footer": out.getvalue().to_pybytes()}], schema=_WRITTEN)

    def _flush(self) -> None:
        rows, self.waiting = pa.concat_tables(self.waiting) if self.waiting else None, []
        if rows is None:
            return
        if self.writer is None:
            self.sink = self.store.open_output_stream(f"{self.folder}/{self.name}")
            self.writer = pq.ParquetWriter(
                self.sink, rows.schema, compression="zstd", store_schema=False, metadata_collector=self.footers
            )
        self.writer.write_table(rows, row_group_size=_ROWS_PER_GROUP)


def _parted(rows: pa.Table, by: Sequence[str]) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
    """Runs of rows with the same values of the partition columns, as the log writes these, without the columns."""
    if not by:
        yield {}, rows
        return
    keys, start = rows.select(list(by)).to_pylist(), 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[start]:
            yield (
                {column: _text(value) for column, value in keys[start].items()},
                rows.slice(start, end - start).drop_columns(list(by)),
            )
            start = end


def _text(value: object) -> str | None:
    """A partition value in the log (Protocol, "Partition Value Serialization")."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_utc(rows: pa.Table) -> pa.Table:
    """Instants are the same in any zone; Spark gives them in the session's."""
    for index, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            rows = rows.set_column(index, column.name, rows.column(index).cast(pa.timestamp("us", "UTC")))
    return rows


@dataclass(frozen=True)
class Reading:
    """One task's share of a read.

    Attributes:
        options: how the store is reached.
        schema: what Spark is to get; columns that a file lacks are null in its rows.
        file: the column that names the file of each row, empty for none.
    """

    options: dict[str, Any]
    schema: pa.Schema
    file: str

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Read the files that come."""
        store = filesystem(self.options)
        for batch in batches:
            for address in batch.column(0).to_pylist():
                with store.open_input_file(address.removeprefix("s3://")) as source:
                    yield from self._rows(pq.ParquetFile(source), address)

    def _rows(self, found: pq.ParquetFile, address: str) -> Iterator[pa.RecordBatch]:
        # All columns: a name with a dot in it would be taken for one in a struct.
        for batch in found.iter_batches(_ROWS_PER_BATCH):
            columns = [self._column(batch, column, address) for column in self.schema]
            yield pa.record_batch(columns, schema=self.schema)

    def _column(self, batch: pa.RecordBatch, wanted: pa.Field, address: str) -> pa.Array:
        if wanted.name == self.file:
            return pa.array([address] * batch.num_rows, pa.string())
        if wanted.name not in batch.schema.names:
            return pa.nulls(batch.num_rows, wanted.type)
        return pc.cast(batch.column(wanted.name), wanted.type)
