"""Answers that cannot be stale: the key holds all that an answer depends on, the files of each table among it.

Values are Arrow files under the home, the least recently used are deleted. A file that is damaged is no answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from sparkml_track.catalog.snapshot import Snapshot
from sparkml_track.sql import Answer, Engine, Query

__all__ = ["Cache"]

_MORE = b"sparkml_more"
_BYTES = 256 * 1024 * 1024
_LARGEST = 64 * 1024 * 1024
# Of the keys; another one when the same key would mean another answer.
_FORM = 1


class Cache:
    """Answers under a folder.

    Args:
        folder: made with the first answer.
        most: bytes in all.
    """

    def __init__(self, folder: Path, most: int = _BYTES) -> None:
        self._folder = folder
        self._most = most
        # Bytes that may be added before the folder is looked at again: each look costs more with what is in it.
        self._room = 0

    @staticmethod
    def key(query: Query, snapshot: Snapshot, engine: Engine) -> str:
        """All that the answer depends on, as a digest."""
        # By the files and not by versions alone: a table that was deleted and made again counts from 0 again.
        tables = [[str(mention), view.name, list(view.columns.items()), sorted(view.files)]
                  for mention, view in snapshot.views.items()]  # fmt: skip
        params = {name: [type(value).__name__, str(value)] for name, value in query.params.items()}
        parts = [_FORM, query.text.strip(), params, query.limit, engine.name, engine.version, pa.__version__, tables]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def get(self, key: str) -> Answer | None:
        """An answer that is kept, None if there is none."""
        path = self._path(key)
        try:
            with pa.OSFile(str(path)) as file:
                rows = pa.ipc.open_file(file).read_all()
            os.utime(path)
        except (OSError, pa.ArrowException):
            return None
        metadata = dict(rows.schema.metadata or {})
        more = metadata.pop(_MORE, b"") == b"true"
        return Answer(rows.replace_schema_metadata(metadata or None), more)

    def put(self, key: str, answer: Answer) -> None:
        """Keeps an answer that is not too large; a disk that refuses costs the next query its time, nothing else."""
        if answer.rows.nbytes > min(_LARGEST, self._most):
            return
        metadata = dict(answer.rows.schema.metadata or {}) | {_MORE: b"true" if answer.more else b"false"}
        rows = answer.rows.replace_schema_metadata(metadata)
        with suppress(OSError, pa.ArrowException):
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = self._folder / f"{uuid.uuid4().hex}.part"
            try:
                with pa.OSFile(str(beside), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
                    writer.write_table(rows)
                self._room -= beside.stat().st_size
                beside.rename(self._path(key))
            finally:
                beside.unlink(missing_ok=True)
            if self._room < 0:
                self._shrink()

    def _shrink(self) -> None:
        kept = sorted(_sizes(self._folder).items(), key=lambda each: each[1], reverse=True)
        total = sum(size for _, (_, size) in kept)
        # Well below the bound, so that this is seldom; the newest answer stays.
        most = self._most * 9 // 10 if total > self._most else total
        for path, (_, size) in reversed(kept[1:]):
            if total > most:
                path.unlink(missing_ok=True)
                total -= size
        # A part of what is free: other processes add, too.
        self._room = max(self._most - total, 0) // 10

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.arrow"


def _sizes(folder: Path) -> Mapping[Path, tuple[float, int]]:
    """When each file was last used, and its size."""
    found = dict[Path, tuple[float, int]]()
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            status = path.stat()
            found[path] = (status.st_mtime, status.st_size)
    return found
