"""The methods of a feature store that read, write and drop one table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from sparkml_track.features.feature_tables.lifecycle import DroppedTable, drop, feature_info, pinned_at
from sparkml_track.features.feature_tables.streams import TableStream, check_plain, check_streamed, write_stream
from sparkml_track.refs import TableRef
from sparkml_track.tables import TableInfo, Tables, TransactionId

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["FeatureTables", "WriteMode"]

WriteMode: TypeAlias = Literal["merge", "append", "overwrite"]


class FeatureTables:
    """The part of ``FeatureStore`` that is about single tables.

    Attributes:
        tables: with a session.
    """

    tables: Tables
    _pinned: dict[str, TableRef]

    @property
    def pinned(self) -> dict[str, TableRef]:
        """The version of each table this store has read or written, by name."""
        return dict(self._pinned)

    def read(self, name: str) -> DataFrame:
        """Give any table at its pinned version, the latest when this store first reads it."""
        return self.tables.read(self._pin(name))

    @overload
    def write_table(self, name: str, df: DataFrame, mode: WriteMode = "merge") -> TableRef: ...

    @overload
    def write_table(
        self,
        name: str,
        df: DataFrame,
        mode: WriteMode = "merge",
        *,
        checkpoint_location: str | Path,
        trigger: Mapping[str, Any] | None = None,
    ) -> TableStream: ...

    def write_table(
        self,
        name: str,
        df: DataFrame,
        mode: WriteMode = "merge",
        *,
        checkpoint_location: str | Path | None = None,
        trigger: Mapping[str, Any] | None = None,
    ) -> TableRef | TableStream:
        """Add rows to a feature table.

        A streaming DataFrame is written in batches, each of them once: also when this process is killed and the same
        call is made again with the same checkpoint.

        Args:
            name: of the table.
            df: with the table's columns.
            mode: "merge" replaces rows of the same key and timestamp and adds the others; the changes pass through the
                driver. "append" adds, "overwrite" replaces all; keys are unique in the whole table afterwards too. A
                stream is merged or appended.
            checkpoint_location: for a stream, a folder that remembers what was read, of this table alone.
            trigger: for a stream, as Spark takes it: ``{"availableNow": True}`` by default, which ends when all that is
                there now is written, or ``{"processingTime": "5 minutes"}``.

        Returns:
            The version; for a stream its handle, whose ``wait()`` gives the version or raises.

        Raises:
            TableError: no such table, or it has no keys to merge by.
            DataError: rows that do not fit; a stream without a checkpoint, or one of another table.
        """
        keys = tuple(self.get_table(name).roles)

        def commit(rows: DataFrame, transaction: TransactionId | None) -> TableRef:
            if mode == "merge":
                return self.tables.merge(name, rows, keys=keys, transaction=transaction)
            return self.tables.write(name, rows, mode=mode, transaction=transaction)

        if not df.isStreaming:
            check_plain(name, checkpoint_location, trigger)
            return self._written(commit(df, None))
        check_streamed(name, mode)
        return write_stream(df, name, commit, self.tables, (checkpoint_location, trigger, self._written))

    def read_table(self, name: str, *, version: int | None = None, timestamp: datetime | None = None) -> DataFrame:
        """Read a feature table, at a version or as it was at a time.

        Args:
            name: of the table.
            version: its number.
            timestamp: with a time zone: the version that was the latest then. Without both it is the version that this
                store has pinned.

        Raises:
            TableError: no such table or version, or it is not a feature table.
            DataError: both were given.
        """
        asked = version is not None or timestamp is not None
        ref = pinned_at(self.tables, name, version, timestamp) if asked else self._pin(name)
        return self.tables.read(feature_info(self.tables, ref).ref)

    def drop_table(self, name: str) -> DroppedTable:
        """Drop a feature table, with all its versions.

        Returns:
            What was dropped and what is kept; ``str()`` of it says so in a sentence.

        Raises:
            TableError: no such table, or it is not a feature table.
            NotBuilt: it lies in an object store.
        """
        dropped = drop(self.tables, name)
        self._pinned.pop(name, None)
        return dropped

    def get_table(self, name: str) -> TableInfo:
        """Tell a feature table's keys, timestamp and columns at its pinned version.

        Raises:
            TableError: no such table, or it has no primary keys.
        """
        return feature_info(self.tables, self._pin(name))

    def _pin(self, name: str) -> TableRef:
        if name not in self._pinned:
            self._pinned[name] = self.tables.latest(name)
        return self._pinned[name]

    def _written(self, ref: TableRef) -> TableRef:
        self._pinned[ref.name] = ref
        return ref
