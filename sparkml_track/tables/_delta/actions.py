"""What a commit file holds: files of a version with their statistics, and commits that add and remove chosen files.

A commit is a JSON file that is made if it is not there, under the number of the version it makes (Protocol, "Delta Log
Entries"): whole or not at all, and once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

import pyarrow as pa

from sparkml_track.tables._delta.files import StagedFile
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._delta.log import NOTES, Log, add_actions, keep_short
from sparkml_track.tables._delta.outcomes import Taken, committed, translated
from sparkml_track.tables._values import TableVersion, TransactionId

_ENGINE = "sparkml_track"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A file of one version, as its log has it.

    Attributes:
        raw: the path as the log spells it.
        path: where it lies.
        size: bytes.
        rows: how many, None where the log does not say.
        lowest: smallest value per column, as far as known.
        highest: largest value per column, as far as known.
        nulls: how many per column, as far as known.
        partition: the values of the partition columns.
    """

    raw: str
    path: Location
    size: int
    rows: int | None
    lowest: Mapping[str, object]
    highest: Mapping[str, object]
    nulls: Mapping[str, int]
    partition: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit does.

    Attributes:
        operation: as history shows it.
        parameters: shown beside it.
        adds: files that were staged.
        removes: files that go.
        data_change: False where the same rows only moved to other files.
        metadata: a new ``metaData`` action, None to keep the table's.
        transaction: noted with it.
        metrics: counts of rows and files.
        notes: kept with the version.
        feed: staged files that say what became of each row; none where ``adds`` and ``removes`` say it.
    """

    operation: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    adds: Sequence[StagedFile] = ()
    removes: Sequence[Entry] = ()
    data_change: bool = True
    metadata: Mapping[str, object] | None = None
    transaction: TransactionId | None = None
    metrics: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    feed: Sequence[StagedFile] = ()


def entries(found: Log, path: Location) -> list[Entry]:
    """List the files of a version with what the log knows of them."""
    with translated(f"listing table {path.name}", path):
        table = add_actions(found)
    groups = {key: _prefixed(table, f"{key}.") for key in ("min", "max", "null_count", "partition")}
    listed = table.select(["path", "size_bytes", "num_records"]).to_pylist()
    return [
        Entry(
            row["path"],
            path / unquote(row["path"]),
            int(row["size_bytes"]),
            row["num_records"],
            {c: v[number] for c, v in groups["min"].items() if v[number] is not None},
            {c: v[number] for c, v in groups["max"].items() if v[number] is not None},
            {c: int(str(v[number])) for c, v in groups["null_count"].items() if v[number] is not None},
            {c: v[number] for c, v in groups["partition"].items()},
        )
        for number, row in enumerate(listed)
    ]


def publish(found: Log, path: Location, version: int, change: Change) -> int:
    """Commit a change as exactly this version.

    Raises:
        Taken: another writer made it.
        TableError: the storage refused.
    """
    file = path / "_delta_log" / f"{version:020d}.json"
    with translated(f"writing table {path.name}", path):
        if not file.put_new("\n".join(map(json.dumps, _lines(int(found.version()), change)))):
            raise Taken(f"{file.name} is there already")
    keep_short(found, path, version)
    return version


def begin(path: Location, protocol: Mapping[str, object], change: Change) -> int:
    """Commit version 0 of a table that is not there, with the metadata of the change.

    Raises:
        Taken: another writer made it.
        TableError: the storage refused.
    """
    file = path / "_delta_log" / f"{0:020d}.json"
    lines = [*_lines(None, change), {"protocol": dict(protocol)}]
    with committed(f"writing table {path.name}", path, 0, str((change.metadata or {})["id"])):
        with suppress(FileExistsError):
            file.parent.make_folder()
        if not file.put_new("\n".join(map(json.dumps, lines))):
            raise Taken(f"{file.name} is there already")
    return 0


def actions_of(path: Location, version: int) -> list[dict[str, dict[str, object]]] | None:
    """The actions of one commit, None where its file is gone."""
    file = path / "_delta_log" / f"{version:020d}.json"
    with translated(f"reading version {version} of table {path.name}", path):
        text = file.text()
        return None if text is None else [json.loads(line) for line in text.splitlines() if line.strip()]


def versions(log: Log) -> tuple[TableVersion, ...]:
    """The history the log keeps, newest first."""
    return tuple(
        TableVersion(int(one["version"]), one["timestamp"] / 1000, str(one.get("operation", "")), _notes(one))
        for one in log.history()
    )


def _notes(commit: Mapping[str, object]) -> dict[str, str]:
    """What was noted with a commit; other writers note there what they like."""
    try:
        notes = json.loads(str(commit.get(NOTES, "{}")))
    except ValueError:
        return {}
    return {key: str(value) for key, value in notes.items()} if isinstance(notes, dict) else {}


def _prefixed(table: pa.Table, prefix: str) -> dict[str, list[object]]:
    return {name[len(prefix) :]: table[name].to_pylist() for name in table.column_names if name.startswith(prefix)}


def _lines(read: int | None, change: Change) -> list[dict[str, object]]:
    now = int(time.time() * 1000)
    info: dict[str, object] = {
        "timestamp": now,
        "operation": change.operation,
        "operationParameters": dict(change.parameters),
        "isolationLevel": "Serializable" if change.data_change else "SnapshotIsolation",
        "isBlindAppend": False,
        "engineInfo": _ENGINE,
        "operationMetrics": {key: str(count) for key, count in change.metrics.items()},
    }
    if read is not None:
        info["readVersion"] = read
    if change.notes:
        info[NOTES] = json.dumps(dict(change.notes))
    lines: list[dict[str, object]] = [{"commitInfo": info}]
    if change.transaction:
        app, count = change.transaction
        lines.append({"txn": {"appId": app, "version": count, "lastUpdated": now}})
    if change.metadata:
        lines.append({"metaData": dict(change.metadata)})
    lines += [{"remove": _removal(entry, now, data_change=change.data_change)} for entry in change.removes]
    lines += [{"cdc": _change_file(file)} for file in change.feed]
    return lines + [{"add": _addition(file, now, data_change=change.data_change)} for file in change.adds]


def _removal(entry: Entry, now: int, *, data_change: bool) -> dict[str, object]:
    removal: dict[str, object] = {"path": entry.raw, "deletionTimestamp": now, "dataChange": data_change}
    if not entry.partition:
        removal |= {"extendedFileMetadata": True, "partitionValues": {}, "size": entry.size}
    return removal


def _change_file(file: StagedFile) -> dict[str, object]:
    return {"path": file.path, "partitionValues": dict(file.partition), "size": file.size, "dataChange": False}


def _addition(file: StagedFile, now: int, *, data_change: bool) -> dict[str, object]:
    return {
        "path": file.path,
        "partitionValues": dict(file.partition),
        "size": file.size,
        "modificationTime": now,
        "dataChange": data_change,
        "stats": file.stats,
    }
