"""Which unfinished sweep a call goes on with that names none."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from sparkml_track.engine.identity.fingerprint import Fingerprint, differences
from sparkml_track.engine.records.entries import plan_of, read_record
from sparkml_track.engine.records.types import Ended, JournalRecord, Plan
from sparkml_track.engine.spec.spec import Spec, id_prefix
from sparkml_track.errors import JournalError
from sparkml_track.home import Home
from sparkml_track.journals import SweepEntry, last, read, sweeps
from sparkml_track.slot.host.lock import exclusive_lock
from sparkml_track.trial import State

__all__ = ["alone", "newest", "resumable", "without_end"]

_log = logging.getLogger(__name__)


def resumable(end: JournalRecord | None, max_failed: int | None = None) -> bool:
    """Whether "auto" goes on with a sweep, by its last record: it has no end, was interrupted, or lost its slots."""
    if not isinstance(end, Ended):
        return True
    too_many = max_failed is not None and end.counts.failed > max_failed
    return end.state is not State.FINISHED and not too_many


def newest(spec: Spec, home: Path, prints: Fingerprint) -> str | None:
    """The newest sweep of this name and fingerprint that has not ended, live ones too."""
    logged = False
    over = _Over(home, spec.failures.max_failed)
    for entry in _candidates(home, id_prefix(spec.name), over):
        try:
            # First what is cheap: most sweeps have ended.
            if entry.holder is None and not resumable(_last(home, entry.sweep), spec.failures.max_failed):
                over.add(entry.sweep)
                continue
            plan = plan_of(read(home, entry.sweep))
            if plan is None or plan.name != spec.name:
                continue
        except JournalError as error:
            _log.warning("sweep %s is passed over: %s", entry.sweep, error)
            continue
        found = differences(plan.fingerprint, prints)
        if not found:
            return entry.sweep
        if not logged and entry.holder is None:
            logged = True
            text = "; ".join(found[:5])
            _log.warning("not going on with the unfinished sweep %s, which differs: %s", entry.sweep, text)
    return None


def without_end(home: Path, name: str | None) -> Iterator[tuple[str, Plan]]:
    """Sweeps that have no end although no driver has them, with their plans.

    Args:
        home: the state folder.
        name: of the sweeps; None for all.
    """
    over = _Over(home, Ended)
    for entry in _candidates(home, "" if name is None else id_prefix(name), over):
        if entry.holder is not None:
            continue
        try:
            if isinstance(_last(home, entry.sweep), Ended):
                over.add(entry.sweep)
                continue
            plan = plan_of(read(home, entry.sweep))
        except JournalError as error:
            _log.debug("sweep %s is passed over: %s", entry.sweep, error)
            continue
        if plan is not None and name in (None, plan.name):
            yield entry.sweep, plan


def _last(home: Path, sweep: str) -> JournalRecord | None:
    record = last(home, sweep)
    return None if record is None else read_record(record)


def _candidates(home: Path, prefix: str, over: _Over) -> Sequence[SweepEntry]:
    return sweeps(home, lambda sweep, changed: sweep.startswith(prefix) and not over.knows(sweep, changed))


class _Over:
    """Sweeps that are over, as far as this process has seen: who goes on with one makes a file in its folder.

    Args:
        home: the state folder.
        rule: by which they are over; for those that go on ``max_failed`` of the sweep that is to begin, since what was
            stopped for it may be gone on with under another.
    """

    _known: ClassVar[dict[tuple[Path, object], dict[str, int]]] = {}

    def __init__(self, home: Path, rule: object) -> None:
        self._over = self._known.setdefault((home, rule), {})
        self._changed: dict[str, int] = {}

    def knows(self, sweep: str, changed: int) -> bool:
        """Whether nothing more comes of a sweep whose folder ``changed`` then, in ns."""
        self._changed[sweep] = changed
        return self._over.get(sweep) == changed

    def add(self, sweep: str) -> None:
        """It is over; one that has changed just now is looked at again, as clocks of file systems are coarse."""
        if time.time_ns() - self._changed[sweep] > 2_000_000_000:
            self._over[sweep] = self._changed[sweep]


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """One process of this host at a time."""
    folder = Home(home).journal
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(folder):
        yield
