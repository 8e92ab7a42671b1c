"""The Delta transaction log, through delta-rs: the one place that knows ``deltalake``.

Each commit is tried for exactly the version after the one that was looked at, and not at all if another writer took it.
So a write knows its version, and what it checked still holds when it is committed.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, PostCommitHookProperties, Transaction, create_table_with_add_actions
from pyarrow import fs

from sparkml_track.errors import TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables._delta.features import refuse_features
from sparkml_track.tables._delta.files import StagedFile
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._delta.outcomes import Taken, committed, translated
from sparkml_track.tables._rows.errors import first_line, no_version
from sparkml_track.tables._rows.feed import no_feed
from sparkml_track.tables._values import TransactionId

_LOG = logging.getLogger(__name__)
# Where a table has no ``delta.checkpointInterval``. delta-rs takes 100; opening a table costs what came since the last.
_CHECKPOINT_EVERY = 20
# Names of the files by which a table is known.
_LOG_FILE = re.compile(r"\d{20}\.(json|checkpoint\..*)")
# How delta-rs refuses a feed that a version did not keep.
_UNFED = re.compile(r"Change Data not enabled for version: (\d+)")
# What tells a commit from all others.
_MARK = "commitId"
#: Where Delta's own writers keep what a user says of a commit.
NOTES = "userMetadata"
#: How delta-rs commits.
Properties: TypeAlias = CommitProperties


class Log(DeltaTable):  # type: ignore[misc]  # delta-rs has no types
    """A table at one version.

    Attributes:
        location: of the table.
    """

    def __init__(self, location: Location, version: int | None = None) -> None:
        super().__init__(str(location), version=version, storage_options=location.options)
        self.location = location


def open_log(path: Location, version: int | None = None) -> Log | None:
    """Open a version of a table, None if there is no table.

    Raises:
        TableError: no such version, an unreadable log, or one that needs features this release lacks.
    """
    with translated(f"opening table {path.name}", path):
        try:
            log = Log(path)
        except TableNotFoundError:
            return None
        if version is not None and version != log.version():
            log = _earlier(log, path, version)
    refuse_features(log, path.name)
    return log


def is_table(path: Location) -> bool:
    """Whether a Delta log lies in this folder."""
    # delta-rs lists all of the log to say the same.
    with translated(f"looking for table {path.name}", path):
        return any(map(_LOG_FILE.fullmatch, (path / "_delta_log").names()))


def schema_of(log: Log) -> str:
    """The version's schema in the JSON of the Delta protocol."""
    return str(log.schema().to_json())


def add_actions(log: Log, *, flatten: bool = True) -> pa.Table:
    """The version's files as its log has them, as delta-rs gives them."""
    # Not pa.table(), which imports pandas to see whether it was given a frame.
    return pa.RecordBatchReader.from_stream(log.get_add_actions(flatten=flatten)).read_all()


def files_of(log: Log, path: Location) -> list[Location]:
    """The version's files.

    Raises:
        TableError: some lie outside of the table's folder (a shallow clone).
    """
    # Not file_uris(): that encodes the folder and leaves the rest as it is.
    with translated(f"listing table {path.name}", path):
        relative = [unquote(name) for name in add_actions(log, flatten=False)["path"].to_pylist()]
    if any("://" in name or name.startswith(("/", "file:")) for name in relative):
        raise TableError(f"table {path.name} names files outside of its folder; copy it whole to read it here")
    return [path / name for name in relative]


def partition_values(log: Log, path: Location) -> dict[Location, dict[str, object]]:
    """The values of the partition columns for each file of the version: from the log, never from names of folders.

    Folders are named as their writer liked; the log says what they mean (Protocol, "Partition Value Serialization").
    """
    with translated(f"listing table {path.name}", path):
        actions = add_actions(log)
        columns = {column: actions[f"partition.{column}"].to_pylist() for column in partitions_of(log)}
        names = [unquote(name) for name in actions["path"].to_pylist()]
    return {path / name: {c: values[row] for c, values in columns.items()} for row, name in enumerate(names)}


def ever_named(path: Location) -> set[str]:
    """Relative paths that any commit still in the log added or removed."""
    named, folder = set(), path / "_delta_log"
    for text in folder.texts([name for name in folder.names() if name.endswith(".json")]):
        for line in text.splitlines():
            action = json.loads(line)
            named |= {unquote(action[kind]["path"]) for kind in ("add", "remove") if kind in action}
    return named


def rows_of(log: Log) -> float:
    """How many rows a version has, infinity where its log does not say."""
    counts = add_actions(log)["num_records"].to_pylist()
    return math.inf if None in counts else sum(counts)


def partitions_of(log: Log) -> list[str]:
    """The columns a table is partitioned by; only other writers make such tables."""
    return list(log.metadata().partition_columns)


def metadata_with(log: Log, schema: str) -> dict[str, object]:
    """The table's ``metaData`` action with another schema."""
    metadata = log.metadata()
    return {
        "id": str(metadata.id),
        "name": metadata.name,
        "description": metadata.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema,
        "partitionColumns": partitions_of(log),
        "configuration": properties_of(log),
        "createdTime": metadata.created_time,
    }


def properties_of(log: Log) -> dict[str, str]:
    """What the table was set to."""
    return {key: str(value) for key, value in log.metadata().configuration.items()}


def description_of(log: Log) -> str:
    """What the first writer said."""
    return str(log.metadata().description or "")


def has_transaction(log: Log, transaction: TransactionId | None) -> bool:
    """Whether this version knows the transaction, or a later one of its application."""
    if transaction is None:
        return False
    done = log.transaction_version(transaction[0])
    return done is not None and done >= transaction[1]


def done(log: Log, application: str) -> int | None:
    """The last count of an application."""
    found = log.transaction_version(application)
    return None if found is None else int(found)


def once(transaction: TransactionId | None = None, notes: Mapping[str, str] | None = None) -> CommitProperties:
    """How delta-rs commits: for one version only, marked, with the application's transaction and notes if any."""
    named = [Transaction(*transaction)] if transaction else None
    custom = {_MARK: uuid.uuid4().hex} | ({NOTES: json.dumps(dict(notes))} if notes else {})
    return CommitProperties(custom, max_commit_retries=0, app_transactions=named)


def _mark(properties: CommitProperties) -> str:
    return str(properties.custom_metadata[_MARK])


def create(
    path: Location,
    schema: str,
    files: Sequence[StagedFile],
    description: str,
    properties: CommitProperties,
    by: Sequence[str] = (),
) -> int:
    """Commit version 0.

    Raises:
        Taken: a table appeared meanwhile.
    """
    with committed(f"creating table {path.name}", path, 0, _mark(properties)):
        try:
            create_table_with_add_actions(
                str(path),
                Schema.from_json(schema),
                _actions(files),
                mode="error",
                partition_by=list(by),
                name=path.name,
                description=description,
                storage_options=path.options,
                commit_properties=properties,
            )
        except DeltaError as error:
            if is_table(path):
                raise Taken(first_line(error)) from error
            raise
    return 0


def commit(
    log: Log,
    path: Location,
    schema: str,
    files: Sequence[StagedFile],
    mode: str,
    properties: CommitProperties,
) -> int:
    """Commit the version after ``log``'s: its files and these ("append"), or these alone ("overwrite").

    Raises:
        Taken: another writer made that version.
    """
    version = int(log.version()) + 1
    with committed(f"writing table {path.name}", path, version, _mark(properties)):
        log.create_write_transaction(
            _actions(files),
            mode=mode,
            schema=Schema.from_json(schema),
            partition_by=partitions_of(log),
            commit_properties=properties,
            # What comes after a commit must not make it look as if it had failed.
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
        )
    keep_short(log, path, version)
    return version


def keep_short(log: Log, path: Location, version: int) -> None:
    """Write a checkpoint now and then, and forget what is older than the table keeps; the commit stands without it."""
    try:
        every = int(log.metadata().configuration.get("delta.checkpointInterval", _CHECKPOINT_EVERY))
        if version % every == 0:
            later = Log(path, version)
            later.create_checkpoint()
            if properties_of(log).get("delta.enableExpiredLogCleanup", "true").lower() == "true":
                later.cleanup_metadata()
    except Exception as error:  # noqa: BLE001 - the version is committed, and readers do without
        _LOG.warning("table %s: no checkpoint of version %d (%s)", path.name, version, first_line(error))


def restore(log: Log, name: str, version: int, transaction: TransactionId | None) -> int:
    """Commit the version after ``log``'s with what an earlier one had.

    Raises:
        Taken: another writer made that version.
    """
    after, properties = int(log.version()) + 1, once(transaction)
    with committed(f"restoring table {name}", log.location, after, _mark(properties)):
        log.restore(version, commit_properties=properties)
    return after


def edit(
    log: Log,
    action: str,
    change: Callable[[Log, CommitProperties], object],
    transaction: TransactionId | None = None,
) -> int:
    """Let delta-rs change rows and commit the version after ``log``'s; what changes nothing makes no version.

    Raises:
        Taken: another writer made that version.
    """
    made, properties = int(log.version()) + 1, once(transaction)
    with committed(action, log.location, made, _mark(properties)):
        change(log, properties)
        made = int(log.version())
    return made  # noqa: RET504 - the change may raise, and be made


def vacuum(log: Log, name: str, keep: timedelta, *, dry_run: bool) -> list[str]:
    """Delete, or only list, files that no version younger than ``keep`` names; and what is younger is left."""
    hours = math.ceil(keep.total_seconds() / 3600)
    with translated(f"vacuuming table {name}", log.location):
        found = log.vacuum(hours, dry_run=dry_run, enforce_retention_duration=False, full=True)
        return [unquote(path) for path in found]


def feed(log: Log, name: str, since: int) -> pa.Table:
    """Read what changed from a version to this one into memory."""
    with translated(f"reading the change feed of table {name}", log.location):
        try:
            return pa.table(log.load_cdf(starting_version=since, ending_version=int(log.version())).read_all())
        except DeltaError as error:
            if found := _UNFED.search(str(error)):
                raise no_feed(name, int(found[1])) from error
            raise


def _earlier(latest: Log, path: Location, version: int) -> Log:
    try:
        return Log(path, version)
    except DeltaError as error:
        raise no_version(TableRef(path.name, str(path), version), int(latest.version())) from error


def _actions(files: Sequence[StagedFile]) -> list[AddAction]:
    modified = int(time.time() * 1000)
    return [AddAction(file.path, file.size, file.partition, modified, True, file.stats) for file in files]


def to_arrow(log: Log, name: str, columns: Sequence[str] | None) -> pa.Table:
    """Read a version into memory."""
    names, files = None if columns is None else list(columns), _local_files(log.location)
    with translated(f"reading table {name}", log.location):
        return log.to_pyarrow_table(columns=names, filesystem=files)


def head(log: Log, name: str, rows: int) -> pa.Table:
    """Read some rows of a version."""
    with translated(f"reading table {name}", log.location):
        found = log.to_pyarrow_dataset(filesystem=_local_files(log.location))
        return found.head(rows, fragment_readahead=1, batch_readahead=1, batch_size=max(rows, 1))


def _local_files(location: Location) -> fs.FileSystem | None:
    """Files of this machine by Arrow's own hands; None leaves others to delta-rs, whose file system is of Python.

    Threads of Arrow let go of files when they like. At the end of a process they may need the interpreter for that,
    which is gone by then: the process is aborted, whatever it has done.
    """
    return None if location.path is None else fs.SubTreeFileSystem(str(location.path), fs.LocalFileSystem())
