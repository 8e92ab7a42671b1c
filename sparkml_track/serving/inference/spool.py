"""The records of one process that are not in the tables yet: on disk before anything is answered.

A spool is a folder that one process holds by a lock. What a killed process left is taken over by the next one, which
goes on with its numbers, so that tables remember as many spools as processes ever ran at one time.

``append`` gives a future. A thread writes all that waits at once and makes it durable with one fsync; while it does so,
the next ones gather. A disk that is full, or a spool of ``most_bytes``, drops records: the future is False then.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import uuid
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from sparkml_track.errors import SetupError
from sparkml_track.serving.inference.records import line_of
from sparkml_track.serving.inference.segments import first_number, last_number, new_segment, segments_of

__all__ = ["HeldSpool", "Spool", "claim", "claim_left"]

_LOG = logging.getLogger(__name__)
_SEGMENT_BYTES = 16 * 2**20


class HeldSpool:
    """A spool that this process alone reads and writes, for as long as it holds it.

    Attributes:
        folder: with the segments.
        application: by which tables know it.
    """

    def __init__(self, folder: Path, handle: int) -> None:
        self.folder = folder
        self.application = f"serving-{folder.name}"
        self._handle = handle

    def release(self) -> None:
        """Lets another process have it. May be called twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def claim(root: Path) -> HeldSpool:
    """Takes a spool that nobody holds, or makes one.

    Args:
        root: of all spools of an endpoint; made if missing.

    Raises:
        SetupError: the folder cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            if held := _held(folder):
                return held
        folder = root / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        held = _held(folder)
    except OSError as error:
        raise SetupError(
            f"the folder of records {root} cannot be used: {error.strerror or error}; make it writable, or choose "
            "another home"
        ) from error
    return held or claim(root)


def claim_left(root: Path) -> list[HeldSpool]:
    """Takes all spools with records that nobody holds: those of processes that ended without their last flush."""
    with suppress(OSError):
        folders = sorted(path for path in root.iterdir() if any(each.stat().st_size for each in segments_of(path)))
        return [held for folder in folders if (held := _held(folder))]
    return []


def _held(folder: Path) -> HeldSpool | None:
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return HeldSpool(folder, handle)


class Spool:
    """What one process records. Any thread may call it.

    Args:
        held: the folder.
        most_bytes: that may wait in it.

    Attributes:
        dropped: records that were not kept.
    """

    def __init__(self, held: HeldSpool, most_bytes: int) -> None:
        self.dropped = 0
        self._held, self._most = held, most_bytes
        self._changed = threading.Condition()
        self._waiting: list[tuple[bytes, Future[bool]]] = []
        self._closed = False
        self._file = threading.Lock()  # of what follows
        self._number = last_number(held.folder) + 1
        self._bytes = sum(path.stat().st_size for path in segments_of(held.folder))
        self._handle = new_segment(held.folder, self._number)
        self._size = os.fstat(self._handle).st_size
        self._torn = self._size > 0
        self._current = segments_of(held.folder)[-1]
        self._writer = threading.Thread(target=self._run, name="inference-records", daemon=True)
        self._writer.start()

    @property
    def size(self) -> int:
        """That wait on disk."""
        return self._bytes

    def append(self, body: bytes) -> Future[bool]:
        """Records something.

        Returns:
            Whether it was kept; done once it is on disk, or dropped.
        """
        future: Future[bool] = Future()
        future.set_running_or_notify_cancel()  # whoever waits may go away; the record stays
        with self._changed:
            if not self._closed:
                self._waiting.append((body, future))
                self._changed.notify()
                return future
        self.dropped += 1
        future.set_result(False)
        return future

    def rotate(self) -> list[Path]:
        """Closes what is written to; gives the closed segments, oldest first."""
        with self._file:
            if self._number > first_number(self._current):
                self._next_segment()
            return [path for path in segments_of(self._held.folder) if path != self._current]

    def forget(self, segments: list[Path]) -> None:
        """Deletes segments whose records are in the tables."""
        for path in segments:
            with self._file, suppress(OSError):
                size = path.stat().st_size
                path.unlink()
                self._bytes -= size

    def close(self) -> None:
        """Writes what waits, then refuses more. May be called twice; what is written can still be rotated."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._writer.join()

    def release(self) -> None:
        """Lets another process have the folder, after ``close``."""
        with self._file:
            os.close(self._handle)
        self._held.release()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                batch, self._waiting = self._waiting, []
            if not batch:
                return
            kept = self._kept([body for body, _ in batch])
            for _, future in batch:
                future.set_result(kept)

    def _kept(self, bodies: list[bytes]) -> bool:
        with self._file:
            try:
                self._write(bodies)
            except OSError as error:
                if not self.dropped:
                    _LOG.warning("requests are answered and not recorded: %s", error.strerror or error)
                self.dropped += len(bodies)
                return False
            if self._size > _SEGMENT_BYTES:
                with suppress(OSError):  # the old one goes on
                    self._next_segment()
        return True

    def _write(self, bodies: list[bytes]) -> None:
        lines = b"".join(line_of(self._number + place, body) for place, body in enumerate(bodies))
        if self._bytes + len(lines) > self._most:
            raise OSError(f"{self._bytes:,} bytes of records wait to get into the tables, and {self._most:,} may")
        # After a write that failed half a line may stand there, which the next record must not be a part of.
        data = b"\n" + lines if self._torn else lines
        self._torn = True
        start = self._size
        try:
            while data:
                written = os.write(self._handle, data)
                data, self._size = data[written:], self._size + written
            os.fdatasync(self._handle)
        except OSError:
            with suppress(OSError):
                # What is not acknowledged is not there.
                os.ftruncate(self._handle, start)
                self._size = start
            raise
        self._torn = False
        self._bytes += self._size - start
        self._number += len(bodies)

    def _next_segment(self) -> None:
        handle = new_segment(self._held.folder, self._number)
        os.close(self._handle)
        self._handle, self._size, self._torn = handle, 0, False
        self._current = segments_of(self._held.folder)[-1]
