"""The Delta transaction log, through delta-rs: the one place that knows ``deltalake``.

Each commit is tried for exactly the version after the one that was looked at, and not at all if another writer took it.
So a write knows its version, and what it checked still holds when it is committed.
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, PostCommitHookProperties, Transaction, create_table_with_add_actions

from sparkml_track.errors import TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables._delta.features import refuse_features
from sparkml_track.tables._delta.files import StagedFile
from sparkml_track.tables._rows.errors import first_line, is_foreign, no_version
from sparkml_track.tables._values import TableVersion, TransactionId

_LOG = logging.getLogger(__name__)
# Where a table has no ``delta.checkpointInterval``. delta-rs takes 100; opening a table costs what came since the last.
_CHECKPOINT_EVERY = 20
# Names of the files by which a table is known.
_LOG_FILE = re.compile(r"\d{20}\.(json|checkpoint\..*)")
_ATTEMPTS = 40
_PAUSE = 0.02  # seconds, times the attempt, times a random share: writers that met do not meet again
#: How delta-rs refuses a protocol that it cannot write.
_FEATURES = "Unsupported table features"

#: A table at one version.
Log: TypeAlias = DeltaTable
#: How delta-rs commits.
Properties: TypeAlias = CommitProperties


class Taken(Exception):
    """Another writer made this version first."""


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Translate what delta-rs, Arrow and the file system raise.

    Raises:
        Taken: the commit lost to another writer.
        TableError: anything else, with the first line of the cause.
    """
    try:
        yield
    except CommitFailedError as error:
        if _FEATURES in str(error):  # no other writer is in the way, so another try would say the same
            raise TableError(f"{action} failed: {first_line(error)}") from error
        raise Taken(str(error)) from error
    except Exception as error:
        if not is_foreign(error):
            raise
        raise TableError(f"{action} failed: {first_line(error)}") from error


def retried(action: str, attempt: Callable[[], int]) -> int:
    """Call ``attempt`` until no other writer is in the way.

    Raises:
        TableError: every attempt lost, which points at a disk that refuses writes rather than at other writers.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except Taken as lost:
            last = lost
            time.sleep(_PAUSE * min(number, 10) * random.random())
    raise TableError(
        f"{action} lost {_ATTEMPTS} times to other writers ({last}). Nothing was written: try again, and check that "
        "the table's folder can be written and its disk is not full"
    ) from last


def open_log(path: Path, version: int | None = None) -> Log | None:
    """Open a version of a table, None if there is no table.

    Raises:
        TableError: no such version, an unreadable log, or one that needs features this release lacks.
    """
    with translated(f"opening table {path.name}"):
        try:
            log = DeltaTable(str(path))
        except TableNotFoundError:
            return None
        if version is not None and version != log.version():
            log = _earlier(log, path, version)
    refuse_features(log, path.name)
    return log


def is_table(path: Path) -> bool:
    """Whether a Delta log lies in this folder."""
    # delta-rs lists all of the log to say the same.
    try:
        with os.scandir(path / "_delta_log") as found:
            return any(_LOG_FILE.fullmatch(entry.name) for entry in found)
    except (FileNotFoundError, NotADirectoryError):
        return False


def schema_of(log: Log) -> str:
    """The version's schema in the JSON of the Delta protocol."""
    return str(log.schema().to_json())


def files_of(log: Log, path: Path) -> list[Path]:
    """The version's files.

    Raises:
        TableError: some lie outside of the table's folder (a shallow clone).
    """
    # Not file_uris(): that encodes the folder and leaves the rest as it is.
    with translated(f"listing table {path.name}"):
        relative = [unquote(name) for name in pa.table(log.get_add_actions())["path"].to_pylist()]
    if any("://" in name or name.startswith(("/", "file:")) for name in relative):
        raise TableError(f"table {path.name} names files outside of its folder; copy it whole to read it here")
    return [path / name for name in relative]


def partition_values(log: Log, path: Path) -> dict[Path, dict[str, object]]:
    """The values of the partition columns for each file of the version: from the log, never from names of folders.

    Folders are named as their writer liked; the log says what they mean (Protocol, "Partition Value Serialization").
    """
    with translated(f"listing table {path.name}"):
        actions = pa.table(log.get_add_actions(flatten=True))
        columns = {column: actions[f"partition.{column}"].to_pylist() for column in partitions_of(log)}
        names = [unquote(name) for name in actions["path"].to_pylist()]
    return {path / name: {c: values[row] for c, values in columns.items()} for row, name in enumerate(names)}


def ever_named(path: Path) -> set[str]:
    """Relative paths that any commit still in the log added or removed."""
    named = set()
    for commit_file in (path / "_delta_log").glob("*.json"):
        for line in commit_file.read_text().splitlines():
            action = json.loads(line)
            named |= {unquote(action[kind]["path"]) for kind in ("add", "remove") if kind in action}
    return named


def rows_of(log: Log) -> float:
    """How many rows a version has, infinity where its log does not say."""
    counts = pa.table(log.get_add_actions(flatten=True))["num_records"].to_pylist()
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


def once(transaction: TransactionId | None = None) -> CommitProperties:
    """How delta-rs commits: for one version only, with the application's transaction if there is one."""
    named = [Transaction(*transaction)] if transaction else None
    return CommitProperties(max_commit_retries=0, app_transactions=named)


def create(
    path: Path,
    schema: str,
    files: Sequence[StagedFile],
    description: str,
    transaction: TransactionId | None = None,
    by: Sequence[str] = (),
) -> int:
    """Commit version 0.

    Raises:
        Taken: a table appeared meanwhile.
    """
    with translated(f"creating table {path.name}"):
        try:
            create_table_with_add_actions(
                str(path),
                Schema.from_json(schema),
                _actions(files),
                mode="error",
                partition_by=list(by),
                name=path.name,
                description=description,
                commit_properties=once(transaction),
            )
        except DeltaError as error:
            if DeltaTable.is_deltatable(str(path)):
                raise Taken(first_line(error)) from error
            raise
    return 0


def commit(
    log: Log,
    path: Path,
    schema: str,
    files: Sequence[StagedFile],
    mode: str,
    transaction: TransactionId | None = None,
) -> int:
    """Commit the version after ``log``'s: its files and these ("append"), or these alone ("overwrite").

    Raises:
        Taken: another writer made that version.
    """
    with translated(f"writing table {path.name}"):
        log.create_write_transaction(
            _actions(files),
            mode=mode,
            schema=Schema.from_json(schema),
            partition_by=partitions_of(log),
            commit_properties=once(transaction),
            # What comes after a commit must not make it look as if it had failed.
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
        )
    keep_short(log, path, int(log.version()) + 1)
    return int(log.version()) + 1


def keep_short(log: Log, path: Path, version: int) -> None:
    """Write a checkpoint now and then, and forget what is older than the table keeps; the commit stands without it."""
    try:
        every = int(log.metadata().configuration.get("delta.checkpointInterval", _CHECKPOINT_EVERY))
        if version % every == 0:
            later = DeltaTable(str(path), version=version)
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
    before = int(log.version())
    with translated(f"restoring table {name}"):
        log.restore(version, commit_properties=once(transaction))
    return before + 1


def edit(
    log: Log, action: str, change: Callable[[Log, CommitProperties], None], transaction: TransactionId | None
) -> int:
    """Let delta-rs change rows and commit the version after ``log``'s; what changes nothing makes no version.

    Raises:
        Taken: another writer made that version.
    """
    with translated(action):
        change(log, once(transaction))
    return int(log.version())


def versions(log: Log) -> tuple[TableVersion, ...]:
    """The history the log keeps, newest first."""
    return tuple(
        TableVersion(int(one["version"]), one["timestamp"] / 1000, str(one.get("operation", "")))
        for one in log.history()
    )


def vacuum(log: Log, name: str, keep: timedelta, *, dry_run: bool) -> list[str]:
    """Delete, or only list, files that no version younger than ``keep`` names; and what is younger is left."""
    hours = math.ceil(keep.total_seconds() / 3600)
    with translated(f"vacuuming table {name}"):
        found = log.vacuum(hours, dry_run=dry_run, enforce_retention_duration=False, full=True)
        return [unquote(path) for path in found]


def _earlier(latest: Log, path: Path, version: int) -> Log:
    try:
        return DeltaTable(str(path), version=version)
    except DeltaError as error:
        raise no_version(TableRef(path.name, str(path), version), int(latest.version())) from error


def _actions(files: Sequence[StagedFile]) -> list[AddAction]:
    modified = int(time.time() * 1000)
    return [AddAction(file.path, file.size, file.partition, modified, True, file.stats) for file in files]


def to_arrow(log: Log, name: str, columns: Sequence[str] | None) -> pa.Table:
    """Read a version into memory."""
    with translated(f"reading table {name}"):
        return log.to_pyarrow_table(columns=None if columns is None else list(columns))
