"""Shares in a sweep's folder on one host: as long as a process holds one, nobody but the driver removes the folder.

A share is a shared lock (flock) on the folder itself. The kernel takes it back when its holder ends, however that ends
and in whatever container, so nobody needs to know who lives. Who gives the last share up removes the folder:

    the driver    removes its own in any case; what a killed one left goes with the last share
    a worker      if the sweep is over or its driver has ended; else others may come back, for checkpoints and data
    single tasks  always, but for checkpoints: they never learn of the end, and Spark keeps what they need beside it

Where all were killed nobody gives the last share up: ``remove_left``, called by every template that starts, looks for
such folders. Those of a driver that nobody hears of any more are known by its address, which lies in the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress

from ..wire.address import nobody_listens
from ..wire.frames import Address
from .paths import HostPaths
from .trees import remove_tree

__all__ = ["Share", "remove_left", "set_aside_and_remove"]

_OVER = "over"
_DRIVER = "driver"
#: Seconds in which a driver answers that lives and has time; others wait for the folder meanwhile.
_ANSWER = 0.5
_GONE = "gone-"
#: Seconds after which a folder goes that nobody has a share in, though its sweep is not known to be over.
_AGE = 86_400.0


class Share:
    """A share. Threads: one.

    Args:
        folder: of the sweep on this host; made if missing.
        single: for a task that is alone with its attempt.
        fd: the descriptor of a share that was taken for this process; None to take one.
    """

    def __init__(self, folder: str, single: bool = False, fd: int | None = None) -> None:
        self.folder = folder
        self._single = single
        self._fd = _take(folder) if fd is None else fd
        os.utime(self._fd)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            os.close(self._fd)

    def fileno(self) -> int:
        """The descriptor of the lock, for a process that is to have this share."""
        return self._fd

    def hand_over(self) -> None:
        """Forgets the share here: another process has its descriptor."""
        os.close(self._fd)
        self._fd = -1

    def over(self) -> None:
        """From now on the folder goes with the last share."""
        with suppress(OSError), open(os.path.join(self.folder, _OVER), "w"):
            pass

    def belongs_to(self, driver: Address) -> None:
        """From now on the folder also goes with the last share once nobody listens there."""
        path = os.path.join(self.folder, _DRIVER)
        if not os.path.exists(path):
            with suppress(OSError):
                with open(f"{path}.{os.getpid()}", "w") as file:
                    json.dump(driver, file)
                os.rename(f"{path}.{os.getpid()}", path)

    def close(self) -> None:
        """Gives the share up; the last one removes what nobody needs any more. May be called twice."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        gone = ""
        try:
            os.utime(fd)
            if _is_last(fd, self.folder):
                gone = self._set_aside()
        except OSError:  # removed by its driver
            pass
        finally:
            os.close(fd)
        _delete(gone)

    def _set_aside(self) -> str:
        user = os.path.dirname(self.folder)
        if _is_over(self.folder) or _is_orphaned(self.folder):
            return _set_aside(self.folder, user)
        if not self._single:
            return ""
        kept = os.path.exists(HostPaths(self.folder).checkpoints)
        return _set_aside(HostPaths(self.folder).blobs if kept else self.folder, user)

    def remove(self) -> None:
        """Removes the folder, whoever else has a share in it."""
        fd, self._fd = self._fd, -1
        gone = ""
        with suppress(OSError):
            gone = _set_aside(self.folder, os.path.dirname(self.folder))
        if fd >= 0:
            os.close(fd)
        _delete(gone)


def remove_left(user: str) -> None:
    """Removes folders that nobody has a share in, if their sweep or driver has ended or nobody came for a day.

    Args:
        user: the folder of all sweeps of this user on this host.
    """
    with os.scandir(user) as entries:
        found = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    for path in found:
        if os.path.basename(path).startswith(_GONE):  # whoever set it aside was killed
            _delete(path)
        else:
            with suppress(OSError):
                _delete(_set_aside_unshared(path))


def _set_aside_unshared(folder: str) -> str:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        goes = _is_last(fd, folder) and (_is_over(folder) or _is_old(folder) or _is_orphaned(folder))
        return _set_aside(folder, os.path.dirname(folder)) if goes else ""
    finally:
        os.close(fd)


def _take(folder: str) -> int:
    """A shared lock on the folder of that name, which may be removed again and again while we come."""
    while True:
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(fd, fcntl.LOCK_SH)
        if _is_named(fd, folder):
            os.makedirs(HostPaths(folder).blobs, mode=0o700, exist_ok=True)
            return fd
        os.close(fd)


def _is_last(fd: int, folder: str) -> bool:
    """Whether nobody else has a share in the folder; if so nobody gets one until ``fd`` is closed."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return _is_named(fd, folder)


def _is_named(fd: int, folder: str) -> bool:
    """Whether the folder still is what was opened."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(folder, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _is_over(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, _OVER))


def _is_orphaned(folder: str) -> bool:
    try:
        with open(os.path.join(folder, _DRIVER)) as file:
            return nobody_listens(tuple(json.load(file)), _ANSWER)
    except (OSError, ValueError, TypeError, IndexError, OverflowError):  # an attempt can write there what it likes
        return False


def _is_old(folder: str) -> bool:
    try:
        return time.time() - os.stat(folder).st_mtime > _AGE
    except OSError:
        return False


def set_aside_and_remove(path: str, user: str) -> None:
    """Removes a folder, if it is there; whoever makes it anew meanwhile loses nothing.

    Args:
        path: of the folder.
        user: the folder of all sweeps of this user on this host.
    """
    with suppress(OSError):
        _delete(_set_aside(path, user))


def _set_aside(path: str, user: str) -> str:
    """Gives it a name that nobody asks for: deleting takes a while, and others wait."""
    gone = os.path.join(user, f"{_GONE}{os.urandom(8).hex()}")
    os.rename(path, gone)
    return gone


def _delete(path: str) -> None:
    if path:
        remove_tree(path)
