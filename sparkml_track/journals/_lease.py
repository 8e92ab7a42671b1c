"""The lease of a sweep on a file system: taking it, keeping it alive, giving it back."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from typing_extensions import override

from sparkml_track.errors import JournalError, LeaseHeld
from sparkml_track.journals._claims import (
    Claim,
    Verdict,
    judge,
    lease_path,
    newest_lease,
    read_claim,
    released_path,
    stop_path,
    write_claim,
)
from sparkml_track.journals._errors import translated
from sparkml_track.journals._held import held_message
from sparkml_track.journals._process import here, started
from sparkml_track.journals._store import Lease

__all__ = ["FileLease", "Pulse"]

_log = logging.getLogger(__name__)

#: Seconds between looks whether somebody asked for the end.
_LOOK = 1.0
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a driver shows other hosts that it lives.

    Attributes:
        every: seconds between heartbeats.
        stale: seconds without one after which a driver on another host counts as dead; also the longest wait.
        sleep: waits for some seconds.
    """

    every: float = 5.0
    stale: float = 30.0
    sleep: Callable[[float], None] = time.sleep


class FileLease(Lease):
    """Takes the lease of the sweep in ``folder``, which exists.

    Args:
        folder: of the sweep's journal.
        epoch: the lowest epoch allowed.
        pulse: see ``Pulse``.

    Raises:
        LeaseHeld: a live driver has it. A driver on another host is watched for up to ``pulse.stale`` seconds first.
        JournalError: the lease cannot be written.
    """

    def __init__(self, folder: Path, epoch: int, pulse: Pulse) -> None:
        self._folder, self._pulse = folder, pulse
        self._pid, self._done, self._failed = os.getpid(), threading.Event(), ""
        self._draft = folder / f".claim-{self._pid}-{secrets.token_hex(4)}"
        with translated("take the lease in", folder):
            self._fd = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                self.epoch = self._take(epoch)
            except BaseException:
                os.close(self._fd)
                raise
            finally:
                self._draft.unlink(missing_ok=True)
        self._next = lease_path(folder, self.epoch + 1)
        self._heart = threading.Thread(target=self._beat, name=f"lease of {folder.name}", daemon=True)
        self._heart.start()

    @override
    def check(self) -> None:
        if self._failed:
            raise JournalError(f"the lease in {self._folder} cannot be kept alive: {self._failed}")
        with translated("check the lease in", self._folder):
            claim = read_claim(self._folder, newest_lease(self._folder)) if self._next.exists() else None
        if claim:
            raise LeaseHeld(held_message(self._folder.name, claim.holder, claim.epoch))

    @override
    def release(self) -> None:
        if self._done.is_set():
            return
        self._done.set()
        # Without the mark (disk full) the next driver still sees that the lock is gone, or this process.
        with suppress(OSError):
            released_path(self._folder, self.epoch).touch(exist_ok=True)
        os.close(self._fd)

    def _take(self, lowest: int) -> int:
        locked = _lock(self._fd)
        while True:
            before = newest_lease(self._folder)
            if before:
                self._wait_until_free(before)
            epoch, place, pid = max(lowest, before + 1), here(), self._pid
            claim = Claim(epoch, place.host, pid, started(pid), place.boot, place.pids, locked, time.time())
            write_claim(self._fd, claim)
            if self._publish(lease_path(self._folder, epoch), claim):
                return epoch

    def _wait_until_free(self, epoch: int) -> None:
        """Returns once the lease is given back or stale; raises if its driver lives."""
        path = lease_path(self._folder, epoch)
        first, logged = path.stat().st_mtime_ns, False
        while (verdict := judge(self._folder, claim := read_claim(self._folder, epoch))) is not Verdict.FREE:
            if verdict is Verdict.HELD or path.stat().st_mtime_ns != first:
                raise LeaseHeld(held_message(self._folder.name, claim.holder, epoch))
            left = self._pulse.stale - self._age(path)
            if left <= 0:
                _log.warning("no heartbeat of %s for %.0f s: its sweep is taken over", _named(claim), self._pulse.stale)
                return
            if not logged:
                _log.warning("waiting up to %.0f s for a heartbeat of %s", left, _named(claim))
            logged = True
            self._pulse.sleep(min(left, self._pulse.every / 2))

    def _age(self, path: Path) -> float:
        """Seconds since the last heartbeat, both times by the clock of the file system."""
        os.utime(self._fd)
        return os.fstat(self._fd).st_mtime - path.stat().st_mtime

    def _publish(self, path: Path, claim: Claim) -> bool:
        """Makes the lease file; False if somebody else was quicker."""
        try:
            path.hardlink_to(self._draft)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._publish_without_link(path, claim)
        return True

    def _publish_without_link(self, path: Path, claim: Claim) -> bool:
        """As good but for a moment in which the lease is empty; others then go by its heartbeat, and wait."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return False
        write_claim(fd, replace(claim, locked=_lock(fd)))
        os.close(self._fd)
        self._fd = fd
        return True

    def _beat(self) -> None:
        lease, stop = lease_path(self._folder, self.epoch), stop_path(self._folder, self.epoch)
        beaten = time.monotonic()
        while not self._done.wait(min(_LOOK, self._pulse.every)):
            with suppress(OSError):  # nothing depends on this look
                self.asked_to_stop = self.asked_to_stop or stop.exists()
            try:
                if time.monotonic() - beaten >= self._pulse.every - _LOOK / 2:
                    os.utime(lease)
                    beaten = time.monotonic()
            except OSError as error:
                if not self._done.is_set():
                    self._failed = str(error)
                return


def _named(claim: Claim) -> str:
    return f"pid {claim.pid} on host {claim.host}"


def _lock(fd: int) -> bool:
    """Locks a file that nobody else has open; False where the file system has no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
