"""Journals on a file system: ``<home>/journal/<sweep>/`` with segments (``_lines``) and leases (``_claims``)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sparkml_track.errors import JournalError, SpecError
from sparkml_track.home import Home
from sparkml_track.journals._base import Holder, Record, SweepEntry
from sparkml_track.journals._chain import last_record, newest, records, walk
from sparkml_track.journals._claims import live_holder, newest_lease, stop_path
from sparkml_track.journals._errors import translated
from sparkml_track.journals._follow import Appended, Place, first_record, follow
from sparkml_track.journals._lease import FileLease, Pulse
from sparkml_track.journals._segments import SegmentJournal
from sparkml_track.journals._store import SegmentName, Store

__all__ = [
    "check_sweep",
    "first_file",
    "follow_file",
    "last_file",
    "list_sweeps",
    "open_file",
    "read_file",
    "stop_file",
]

_SWEEP = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_sweep(sweep: str) -> str:
    """The id, if it is one.

    Raises:
        SpecError: it could not be a folder's name everywhere.
    """
    if not _SWEEP.fullmatch(sweep):
        raise SpecError(f"sweep id {sweep!r}: allowed are 1 to 64 letters, digits, '_' and '-'")
    return sweep


def open_file(home: Path, sweep: str, pulse: Pulse | None = None) -> SegmentJournal:
    """Opens a sweep's journal for its driver; makes it if there is none."""
    folder = _folder(home, sweep)
    with translated("make the journal in", folder):
        _make(folder)
    store = _FileStore(folder)
    lease = FileLease(folder, newest(store).epoch + 1, pulse or Pulse())
    return SegmentJournal(sweep, store, lease, durable=True)


def read_file(home: Path, sweep: str) -> Iterator[Record]:
    """The records there are, without the lease."""
    store = _existing(home, sweep)
    return records(store, walk(store, sweep).links)


def first_file(home: Path, sweep: str) -> Record | None:
    """The oldest record, without the lease."""
    return first_record(_existing(home, sweep), sweep)


def last_file(home: Path, sweep: str) -> Record | None:
    """The newest record, without the lease."""
    return last_record(_existing(home, sweep), sweep)


def follow_file(home: Path, sweep: str, since: Place | None) -> Iterator[Appended]:
    """What was appended after a place, without the lease."""
    return follow(_existing(home, sweep), sweep, since)


def stop_file(home: Path, sweep: str) -> Holder | None:
    """Asks the driver of a sweep to end it; None if nobody runs it."""
    _existing(home, sweep)
    folder = _folder(home, sweep)
    with translated("ask for the end in", folder):
        epoch = newest_lease(folder)
        if (holder := live_holder(folder, Pulse().stale, epoch)) is not None:
            stop_path(folder, epoch).touch(mode=0o600)
    return holder


def _existing(home: Path, sweep: str) -> _FileStore:
    folder = _folder(home, sweep)
    if not folder.is_dir():
        known = ", ".join(entry.sweep for entry in list_sweeps(home)[:10]) or "none"
        raise JournalError(f"there is no journal of sweep {sweep!r} under {home}; sweeps there: {known}")
    return _FileStore(folder)


def list_sweeps(home: Path, wanted: Callable[[str, int], bool] = lambda *_: True) -> list[SweepEntry]:
    """All sweeps under a home, the last modified first."""
    root = Home(home).journal
    if not root.is_dir():
        return []
    with translated("list", root), os.scandir(root) as found:
        folders = [
            Path(each.path)
            for each in found
            if _SWEEP.fullmatch(each.name) and each.is_dir() and wanted(each.name, each.stat().st_mtime_ns)
        ]
        entries = [_entry(folder) for folder in folders if any(folder.iterdir())]
    return sorted(entries, key=lambda entry: -entry.modified)


def _entry(folder: Path) -> SweepEntry:
    segments = _FileStore(folder).names()
    written = max([(folder / str(name)).stat().st_mtime for name in segments], default=folder.stat().st_mtime)
    epoch = max(newest_lease(folder), *(name.epoch for name in segments), 0)
    return SweepEntry(folder.name, epoch, live_holder(folder, Pulse().stale), written)


def _folder(home: Path, sweep: str) -> Path:
    return Home(home).journal / check_sweep(sweep)


def _make(folder: Path) -> None:
    """Makes the folder, and its name durable."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        _sync_folder(folder.parent.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class _FileStore(Store):
    """The segments in one folder. Holds the last one it created open, for appending."""

    grows = True

    def __init__(self, folder: Path) -> None:
        self.place = str(folder)
        self._folder, self._open, self._fd = folder, folder, -1

    def names(self) -> Sequence[SegmentName]:
        with translated("list", self._folder):
            return [name for path in self._folder.iterdir() if (name := SegmentName.parse(path.name))]

    def read(self, name: SegmentName, limit: int | None = None, start: int = 0) -> bytes:
        path = self._folder / str(name)
        try:
            with translated("read", path), path.open("rb") as file:
                file.seek(start)
                return file.read(-1 if limit is None else limit)
        except JournalError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise JournalError(
                    f"the journal is damaged: {path} is missing. Bring it back from a copy, or start the sweep anew "
                    "with resume='never'"
                ) from error.__cause__
            raise

    def create(self, name: SegmentName, data: bytes) -> None:
        self.close()
        self._open = self._folder / str(name)
        with translated("create", self._open):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(self._open, flags, 0o600)
            self._write(data)
            _sync_folder(self._folder)

    def grow(self, data: bytes) -> None:
        with translated("write to", self._open):
            self._write(data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        _sync_file(self._fd)
        # A file that was deleted takes everything without an error.
        if not os.fstat(self._fd).st_nlink:
            raise FileNotFoundError(2, "the file was deleted while the sweep ran")


# Systems without fdatasync have fsync.
_sync_file = getattr(os, "fdatasync", os.fsync)
