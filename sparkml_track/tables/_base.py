"""The contract of a family of tables: versions that never change, written whole or not at all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from sparkml_track.refs import ModelRef, TableRef
from sparkml_track.tables._followed import Followed
from sparkml_track.tables._housekeeping import Housekeeping
from sparkml_track.tables._values import (
    UPSERT,
    BeforeCommit,
    DataFile,
    MergeRule,
    Mode,
    Moment,
    TableExpectations,
    TableInfo,
    TableVersion,
    TransactionId,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    #: What can be written: a Spark DataFrame, or an Arrow table where no session is needed.
    Frame: TypeAlias = DataFrame | pa.Table


class Tables(Housekeeping, Followed):
    """Named tables under one root, each a chain of versions that never change.

    Names are one to three identifiers joined by dots. Every write makes exactly one new version or none: what is
    checked is checked before, so a reader sees all of a write or nothing of it, and what a killed writer left behind is
    never seen. Reads pin a version; a table named without one is read at its latest.

    Threads and processes: any number may read and write. Writes that meet are ordered, the later one is retried on what
    the earlier one left; an append is never lost. Appends keep the table's columns and types, an overwrite may change
    them. Timestamps are instants with microseconds (UTC); those without a time zone are refused.

    Ownership: the tables do not own the session they are given and never stop it. ``spark`` says whether ``read`` can
    give DataFrames and ``write`` takes them; Arrow goes in and out without a session.

    Raises:
        DataError: what is to be written does not meet the expectations, or has types or column names no table can hold.
        TableError: a name that is not a valid one, no such table or version, a table that needs what this member cannot
            read, a table that is there already (mode "error"), a write that the storage refused or that lost every
            retry.
        AccessDenied: where grants are kept, and nobody granted it.
    """

    #: Whether this member was given a session.
    spark: bool
    #: The folder of all tables; None where they are in none.
    root: Path | None = None
    #: Whether versions outlive the process.
    durable: ClassVar[bool]

    @abstractmethod
    def write(  # noqa: PLR0913 - keywords, each with a default
        self,
        name: str,
        data: Frame,
        *,
        mode: Mode = "error",
        expect: TableExpectations | None = None,
        description: str = "",
        transaction: TransactionId | None = None,
        evolve: bool = False,
        partition_by: Sequence[str] = (),
        made_from: Sequence[ModelRef | TableRef] = (),
        before_commit: BeforeCommit | None = None,
    ) -> TableRef:
        """Write one version.

        Args:
            name: of the table.
            data: its rows.
            mode: "error" makes a new table and refuses an existing one; "append" and "overwrite" make it if need be.
            expect: checked before the commit; its keys, timestamp and created stay with the table. None keeps what the
                table has.
            description: kept from the first write.
            transaction: an application and its count. If the table has this count of it, or a later one, nothing is
                written.
            evolve: let an append add columns (null in the rows that are there) and leave out columns that may be null,
                and cast narrower numbers to the table's type. The table's own types stay.
            partition_by: columns whose values part the rows of a new table into files; of whole numbers, text, dates
                or booleans. A table keeps them.
            made_from: for lineage, what the rows were made from beside the tables that were read: a model, say.
            before_commit: called once the rows are computed; gives notes that ``history`` shows with the version. What
                it raises ends the write, and nothing is written.

        Returns:
            The version that this call made; the latest one where ``transaction`` was done before.
        """

    @abstractmethod
    def merge(
        self,
        name: str,
        data: Frame,
        *,
        keys: Sequence[str],
        rules: Sequence[MergeRule] = UPSERT,
        transaction: TransactionId | None = None,
    ) -> TableRef:
        """Match rows by keys, and update, delete or insert by rules.

        A DataFrame is merged by Spark jobs that rewrite the files they touch and no other; only file names and counts
        come to the driver. An Arrow table is merged in the driver's process.

        Args:
            name: of a table that exists.
            data: unique and never null in ``keys``. It has the columns of the table, unless every rule that updates or
                inserts names its changes.
            keys: the columns to match; null matches nothing.
            rules: in order; the default updates the rows whose keys are there and inserts the others.
            transaction: as in ``write``.

        Returns:
            The version that this call made; the latest one where there was nothing to do.
        """

    @abstractmethod
    def delete(self, name: str, where: str, *, transaction: TransactionId | None = None) -> TableRef:
        """Delete the rows for which a condition is true.

        Args:
            name: of the table.
            where: in the SQL of ``MergeRule``, with the table's columns; it must say the same each time it is asked.
            transaction: as in ``write``.

        Returns:
            The version that this call made; the latest one where there was nothing to do.
        """

    @abstractmethod
    def update(
        self, name: str, where: str | None, changes: Mapping[str, str], *, transaction: TransactionId | None = None
    ) -> TableRef:
        """Change columns of the rows for which a condition is true.

        Args:
            name: of the table.
            where: as in ``delete``; None for all rows.
            changes: column to expression over the row as it was. Not keys, timestamp and created of the table.
            transaction: as in ``write``.

        Returns:
            The version that this call made; the latest one where there was nothing to do.
        """

    @abstractmethod
    def read(self, table: TableRef | str, at: Moment | None = None) -> DataFrame:
        """Give one version as a Spark DataFrame, lazily.

        Args:
            table: a reference (which pins the version), or a name.
            at: as in ``pin``.

        Raises:
            TableError: also when this member has no session.
        """

    @abstractmethod
    def to_arrow(
        self, table: TableRef | str, columns: Sequence[str] | None = None, at: Moment | None = None
    ) -> pa.Table:
        """Give one version as an Arrow table, in memory. Row order is not kept.

        Args:
            table: a reference, or a name.
            columns: only these, in this order.
            at: as in ``pin``.
        """

    @abstractmethod
    def head(self, table: TableRef | str, rows: int = 10, at: Moment | None = None) -> pa.Table:
        """Give some rows of one version, whichever are read soonest, without reading the others.

        Args:
            table: a reference, or a name.
            rows: at most so many.
            at: as in ``pin``.
        """

    @abstractmethod
    def count(self, table: TableRef | str, at: Moment | None = None) -> int | None:
        """Count the rows of one version without reading them; None where its log does not say.

        Args:
            table: a reference, or a name.
            at: as in ``pin``.
        """

    @abstractmethod
    def files(self, table: TableRef | str) -> tuple[str, ...]:
        """Name the Parquet files that hold the rows of one version, all of them and nothing else.

        Args:
            table: a reference, or a name for the latest version.

        Returns:
            Absolute paths. A column that a file lacks is null in its rows.

        Raises:
            TableError: also when the rows are not in files alone: in memory, or with partition columns, which are in
                the log.
        """

    @abstractmethod
    def data_files(self, table: TableRef | str) -> tuple[DataFile, ...]:
        """Name the Parquet files of one version, each with the values of the partition columns, sorted by path.

        Args:
            table: a reference, or a name for the latest version.

        Raises:
            TableError: also when the rows are in memory.
        """

    @abstractmethod
    def restore(self, name: str, at: Moment, *, transaction: TransactionId | None = None) -> TableRef:
        """Make a new version with the rows, columns, keys and properties of an earlier one.

        Args:
            name: of the table.
            at: the earlier version, as in ``pin``.
            transaction: as in ``write``.

        Returns:
            The version that this call made; the latest one where that was asked for.

        Raises:
            TableError: also when files of the earlier version were vacuumed.
        """

    @abstractmethod
    def diff(self, name: str, before: Moment, after: Moment | None = None, *, keys: Sequence[str] = ()) -> pa.Table:
        """Compare two versions; only what differs comes back.

        With a session Spark compares, and reads only the files that one version has and the other has not.

        Args:
            name: of the table.
            before: the earlier version, as in ``pin``.
            after: the later one; None means the latest.
            keys: columns that are unique in each version; none means those that the later version has.

        Returns:
            An Arrow table: the column ``_change`` ("added", "removed", "changed_from", "changed_to"), then the columns
            of the later version, then those that only the earlier one has. A changed row is there twice.

        Raises:
            TableError: also when keys repeat, or a column has another type in the two versions.
        """

    @abstractmethod
    def changes(self, name: str, since: int, until: int | None = None) -> pa.Table:
        """Read what versions did to rows: the change data feed, kept while ``delta.enableChangeDataFeed`` is true.

        Args:
            name: of the table.
            since: the first version whose changes are read.
            until: the last one, included; None means the latest.

        Returns:
            An Arrow table, by versions: the columns of the last version, then ``_change_type`` ("insert", "delete",
            "update_preimage", "update_postimage"), ``_commit_version`` and ``_commit_timestamp``. A row that an
            overwrite or a restore leaves as it is may be there as deleted and inserted.

        Raises:
            TableError: also when a version kept no feed, or its files were vacuumed.
        """

    @abstractmethod
    def describe(self, table: TableRef | str) -> TableInfo:
        """Tell columns, keys and description of one version."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Tell whether a table of this name is there."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """List the tables under the root, sorted."""

    @abstractmethod
    def history(self, name: str) -> tuple[TableVersion, ...]:
        """List the versions, newest first."""

    @abstractmethod
    def pin(self, name: str, at: Moment | None = None) -> TableRef:
        """Name a version.

        Args:
            name: of the table.
            at: its number; or a moment with a time zone, for the version that was the latest then; None means the
                latest.

        Raises:
            TableError: no such version, or a moment before the first one.
        """

    def latest(self, name: str) -> TableRef:
        """Name the latest version."""
        return self.pin(name)
