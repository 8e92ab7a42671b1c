"""The query of the local way, where it runs: in one of Spark's Python workers.

Sent by value: it needs duckdb and pyarrow there, and nothing here may refer to another module of the package.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Query"]

#: Rows that go to Spark at a time.
_BATCH = 100_000


@dataclass(frozen=True)
class Query:
    """For ``DataFrame.mapInArrow`` over one partition: runs one query of DuckDB.

    Attributes:
        sql: the query; columns in the order of ``schema``.
        schema: of the batches, a ``pyarrow.Schema``.
        threads: of DuckDB.
        memory: bytes that DuckDB may take before it writes to disk.
        fed: whether the batches that come are a view ``fed``; the query reads files alone otherwise.
    """

    sql: str
    schema: Any
    threads: int
    memory: int
    fed: bool

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """What Spark calls."""
        import pyarrow as pa

        first = next(batches, None)
        if first is None:
            return
        with tempfile.TemporaryDirectory(prefix="sparkml-join-") as spill, self._connect(spill) as connection:
            if self.fed:
                reader = pa.RecordBatchReader.from_batches(first.schema, _chained(first, batches))
                connection.register("fed", reader)
            for batch in connection.execute(self.sql).to_arrow_reader(_BATCH):
                columns = [
                    column if column.type == field.type else column.cast(field.type)
                    for column, field in zip(batch.columns, self.schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=self.schema)
        # A worker whose input was not read to its end is not used again; the next one would load everything anew.
        for _ in batches:
            pass

    def _connect(self, spill: str) -> Any:
        import duckdb

        config = {
            "threads": self.threads,
            "memory_limit": f"{self.memory}B",
            "temp_directory": spill,
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        }
        connection = duckdb.connect(":memory:", config=config)
        connection.execute("SET TimeZone = 'UTC'")
        # How many rows are fed is not known, and DuckDB takes few for certain: it would compare each with all.
        connection.execute("SET asof_loop_join_threshold = 0")
        return connection


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
