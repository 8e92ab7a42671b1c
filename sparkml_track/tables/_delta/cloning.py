"""A table made of a version of another: its files under names of their own, linked where the storage can."""

from __future__ import annotations

import time
import uuid

from sparkml_track.errors import SparkmlError
from sparkml_track.tables._delta import files, log
from sparkml_track.tables._delta.actions import Change, begin, entries
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._delta.outcomes import Taken, translated
from sparkml_track.tables._rows.errors import already_there


def clone(found: log.Log, target: Location) -> int:
    """Make version 0 of ``target``.

    Raises:
        TableError: a table appeared there meanwhile, or files cannot be linked or copied; nothing is left.
    """
    folder, name = files.new_folder(target), found.location.name
    try:
        with translated(f"cloning table {name}", target):
            staged = _copied(found, folder)
            metadata = log.metadata_with(found, log.schema_of(found))
        metadata |= {"id": str(uuid.uuid4()), "name": target.name, "createdTime": int(time.time() * 1000)}
        parameters = {"source": name, "sourceVersion": str(found.version()), "isShallow": "false"}
        return begin(target, _protocol(found), Change("CLONE", parameters, staged, metadata=metadata))
    except Taken:
        files.discard(folder)
        raise already_there(target.name) from None
    except SparkmlError:
        if target.certain:
            files.discard(folder)
        raise


def _copied(found: log.Log, folder: Location) -> tuple[files.StagedFile, ...]:
    folder.make_folder()
    partitions = {}
    for number, entry in enumerate(entries(found, found.location)):
        name = f"part-{number:05d}.parquet"
        entry.path.copy_to(folder / name)
        partitions[name] = files.partition_texts(entry.partition)
    return files.staged_files(folder, partitions)


def _protocol(found: log.Log) -> dict[str, object]:
    """The table's ``protocol`` action."""
    protocol = found.protocol()
    action: dict[str, object] = {
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
    }
    for key, features in (("readerFeatures", protocol.reader_features), ("writerFeatures", protocol.writer_features)):
        if features is not None:
            action[key] = sorted(features)
    return action
