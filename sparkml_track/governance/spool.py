"""Rows on their way into a system table: lines of ``<home>/system/<table>.jsonl``, which cost a write and no commit.

Whoever reads the table makes one version of the lines that wait. A lock keeps writers and readers apart.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sparkml_track.errors import TableError
from sparkml_track.slot.host.lock import exclusive_lock

__all__ = ["append", "lock_of", "waiting"]


def append(folder: Path, table: str, rows: Sequence[Mapping[str, object]]) -> int:
    """Adds rows; each gets an ``id`` unless it has one.

    Args:
        folder: for rows on their way, made if missing.
        table: the system table's own name.
        rows: by column; missing ones are null.

    Returns:
        How many bytes wait now.

    Raises:
        TableError: they cannot be written.
    """
    lines = "".join(json.dumps({"id": uuid.uuid4().hex} | dict(row), default=_plain) + "\n" for row in rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(lock_of(folder, table)):
            return _append(waiting(folder, table), lines)
    except OSError as error:
        raise TableError(f"rows of system.{table} cannot be written to {folder}: {error.strerror or error}") from error


def waiting(folder: Path, table: str) -> Path:
    """The file of rows that wait."""
    return folder / f"{table}.jsonl"


def lock_of(folder: Path, table: str) -> Path:
    """The file whose lock keeps writers and readers apart."""
    return folder / f"{table}.lock"


def _append(path: Path, lines: str) -> int:
    """Appends lines; gives the size of the file."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            # A writer that died may have left half a line.
            file.seek(size - 1)
            lines = lines if file.read(1) == b"\n" else "\n" + lines
        file.write(lines.encode())
        return size + len(lines)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
