"""Lease files: ``e<epoch>.lease`` for each driver a sweep had, and ``e<epoch>.released`` once it gave the lease back.

A lease file appears whole, by a hard link to a file that is already written and locked. It says who took it, in JSON:
``epoch``, ``host``, ``pid``, ``start`` (of the process, in the kernel's count), ``boot`` (its boot id), ``pids``
(the pid namespace), ``locked`` (whether flock worked), ``since``. Its modification time is the heartbeat.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from sparkml_track.journals._base import Holder
from sparkml_track.journals._process import Place, alive, here

__all__ = [
    "Claim",
    "Verdict",
    "judge",
    "lease_path",
    "live_holder",
    "newest_lease",
    "read_claim",
    "released_path",
    "stop_path",
    "write_claim",
]

_NAME = re.compile(r"e(\d{4,})\.lease")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a lease file says."""

    epoch: int
    host: str
    pid: int
    start: str
    boot: str
    pids: str
    locked: bool
    since: float

    @property
    def holder(self) -> Holder:
        """For people."""
        return Holder(self.host, self.pid, self.since)


class Verdict(Enum):
    """What is known of the driver that took a lease."""

    FREE = "given back, or its driver is dead"
    HELD = "its driver lives"
    UNKNOWN = "only its heartbeat can show"


def lease_path(folder: Path, epoch: int) -> Path:
    """The lease of an epoch."""
    return folder / f"e{epoch:04d}.lease"


def released_path(folder: Path, epoch: int) -> Path:
    """What marks it as given back."""
    return folder / f"e{epoch:04d}.released"


def stop_path(folder: Path, epoch: int) -> Path:
    """What asks its driver to end the sweep."""
    return folder / f"e{epoch:04d}.stop"


def newest_lease(folder: Path) -> int:
    """The highest epoch with a lease, 0 for none. Raises OSError."""
    return max((int(found[1]) for path in folder.iterdir() if (found := _NAME.fullmatch(path.name))), default=0)


def write_claim(fd: int, claim: Claim) -> None:
    """Replaces what a file says that no other process knows of yet. Raises OSError."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(asdict(claim)).encode(), 0)


def read_claim(folder: Path, epoch: int) -> Claim:
    """What a lease file says; host "?" and pid 0 where it says nothing (lost power). Raises OSError."""
    path = lease_path(folder, epoch)
    text, since = path.read_bytes(), path.stat().st_mtime
    with suppress(ValueError, TypeError, KeyError):
        found = json.loads(text)
        return Claim(**{key: found[key] for key in Claim.__slots__})
    return Claim(epoch, "?", 0, "", "", "", False, since)


def judge(folder: Path, claim: Claim) -> Verdict:
    """Decides what can be decided without waiting. Raises OSError.

    In the same place the process table shows the dead; a living process that locked its lease and no longer has
    the lock has let go of it. Elsewhere under the same kernel (another container) a held lock shows the living.
    Locks of other machines are not trusted: network file systems differ in what they promise.
    """
    if released_path(folder, claim.epoch).exists():
        return Verdict.FREE
    place = here()
    if Place(claim.host, claim.boot, claim.pids) == place:
        let_go = claim.locked and not _locked(folder, claim)
        return Verdict.HELD if alive(claim.pid, claim.start) and not let_go else Verdict.FREE
    if claim.boot == place.boot and claim.locked and _locked(folder, claim):
        return Verdict.HELD
    return Verdict.UNKNOWN


def live_holder(folder: Path, stale: float, epoch: int | None = None) -> Holder | None:
    """Who holds the sweep, as far as can be known at once; None for nobody. Raises OSError.

    Args:
        folder: of the sweep's journal.
        stale: seconds without a heartbeat after which a driver elsewhere counts as dead.
        epoch: of the lease that is looked at; the newest by default.
    """
    epoch = newest_lease(folder) if epoch is None else epoch
    if not epoch:
        return None
    claim = read_claim(folder, epoch)
    verdict = judge(folder, claim)
    fresh = time.time() - lease_path(folder, epoch).stat().st_mtime < stale
    return claim.holder if verdict is Verdict.HELD or (verdict is Verdict.UNKNOWN and fresh) else None


def _locked(folder: Path, claim: Claim) -> bool:
    """Whether somebody has the lease file locked. Asks for a shared lock, so that two who ask do not meet."""
    fd = os.open(lease_path(folder, claim.epoch), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
