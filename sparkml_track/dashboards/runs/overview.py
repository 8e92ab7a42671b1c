"""All sweeps of a home, at the cost of what was written since the last look.

Of a sweep that has ended, its first and its last record say most, once and for all; one that runs is followed. What
was found of one that does not run is kept as it is shown, since the columns of all of them would be too many.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.runs.reading import readers
from sparkml_track.dashboards.runs.seen import Seen
from sparkml_track.dashboards.stamps import Kind, Stamp
from sparkml_track.engine.records.entries import read_record
from sparkml_track.engine.records.types import Ended, Plan
from sparkml_track.engine.recovery.candidates import resumable
from sparkml_track.errors import JournalError
from sparkml_track.goal import Goal
from sparkml_track.home import Home
from sparkml_track.journals import SweepEntry, first, last, sweeps
from sparkml_track.trial import Counts

__all__ = ["SweepRow", "overview", "overview_of"]

#: Seconds that one look takes to read what was never read.
_PATIENCE = 0.8


@dataclass(frozen=True, slots=True)
class SweepRow:
    """A sweep among others.

    Attributes:
        sweep: its id.
        state: "running", "unfinished", "finished", "failed", "killed" or "unreadable".
        modified: when something was last written, seconds since the epoch.
        name: of the sweep.
        note: who runs it, why it did not finish, or why it cannot be read.
        counts: of trials; None if nothing is known.
        limited: whether it is known how many there will be.
        goal: the first objective; None if that is not known.
        best: the best value of a single objective so far; None if there is none.
        rate: trials per second in the last minute, of one that runs.
        at_work: attempts that were submitted and have not ended, of one that runs.
        slots: how many these were at most.
        hosts: on which trials ended in the last minute.
        failures: by reason; None where the journal was not read for it.
        resumable: whether ``resume`` goes on with it.
        run: id of its parent run; empty before there is one.
        experiment: where that is.
        store: URI of the store of its runs; None for the home's own.
    """

    sweep: str
    state: str
    modified: float
    name: str = ""
    note: str = ""
    counts: Counts | None = None
    limited: bool = True
    goal: Goal | None = None
    best: float | None = None
    rate: float = 0.0
    at_work: int = 0
    slots: int = 0
    hosts: int = 0
    failures: Mapping[str, int] | None = field(default_factory=dict)
    resumable: bool = False
    run: str = ""
    experiment: str = ""
    store: str | None = None

    @property
    def over(self) -> int:
        """Trials with an outcome."""
        found = self.counts
        return 0 if found is None else found.finished + found.pruned + found.failed + found.killed

    @property
    def left(self) -> float | None:
        """Seconds until all planned trials have ended at this rate; None where that cannot be said."""
        if self.counts is None or not self.limited or not self.rate or self.state != "running":
            return None
        return max(0, self.counts.planned - self.over) / self.rate


def overview(page: Page, most: int | None = None) -> Sequence[SweepRow]:
    """Sweeps, those that run first, then the last modified first.

    Args:
        page: whose home.
        most: at most so many, the last modified ones.

    Raises:
        JournalError: the folder of journals cannot be read.
    """
    until = time.monotonic() + _PATIENCE
    entries = _entries(page)[:most]
    if any(entry.holder is not None for entry in entries):  # that a driver died does not change a file
        entries = sweeps(page.home.root)[:most]
    rows = [_row(page, entry, until) for entry in entries]
    return sorted(rows, key=lambda row: row.state != "running")


def overview_of(page: Page, sweep: str) -> SweepRow | None:
    """One sweep, without a look at the others; None if there is none of this id.

    Raises:
        JournalError: as ``overview``.
    """
    until = time.monotonic() + _PATIENCE
    found = _named(_entries(page), sweep)
    if found is not None and found.holder is not None:
        found = _named(sweeps(page.home.root, lambda each, _: each == sweep), sweep)
    return None if found is None else _row(page, found, until)


def _entries(page: Page) -> Sequence[SweepEntry]:
    return page.kept.get(("sweeps",), page.stamp(Kind.SWEEPS), lambda: sweeps(page.home.root))


def _named(entries: Sequence[SweepEntry], sweep: str) -> SweepEntry | None:
    return next((entry for entry in entries if entry.sweep == sweep), None)


def _row(page: Page, entry: SweepEntry, until: float) -> SweepRow:
    stamp = page.stamp(Kind.SWEEPS, of=entry.sweep)
    try:
        short = _shortly(page, entry, stamp) if entry.holder is None else None
        if short is not None and short.failures is not None:
            return short
        late = time.monotonic() > until
        found = None if late and short is not None else readers(page).of(entry.sweep).look(stamp, until)
    except JournalError as error:
        return SweepRow(entry.sweep, "unreadable", entry.modified, note=str(error))
    if found is not None:
        row = _of_seen(entry, found)
        if entry.holder is None:
            _known(page)[entry.sweep] = (stamp, row)
        return row
    if short is not None:
        return short
    state = "running" if entry.holder is not None else "unfinished"
    return SweepRow(entry.sweep, state, entry.modified, note="It has many records, which are read with the next looks.")


def _shortly(page: Page, entry: SweepEntry, stamp: Stamp) -> SweepRow | None:
    """What is known of a journal by its stamp, at first what its ends say; None if it has no end."""
    known = _known(page)
    if entry.sweep not in known or known[entry.sweep][0] != stamp:
        known[entry.sweep] = (stamp, _of_ends(page.home, entry))
    return known[entry.sweep][1]


def _known(page: Page) -> dict[str, tuple[Stamp, SweepRow | None]]:
    return page.kept.get("ends of journals", (), dict)


def _of_ends(home: Home, entry: SweepEntry) -> SweepRow | None:
    newest = last(home.root, entry.sweep)
    end = None if newest is None else read_record(newest)
    if not isinstance(end, Ended):
        return None
    oldest = first(home.root, entry.sweep)
    plan = None if oldest is None else read_record(oldest)
    if not isinstance(plan, Plan) or not plan.spec.goals:
        return None
    bad = end.counts.failed + end.counts.killed
    return SweepRow(
        entry.sweep,
        end.state.value,
        entry.modified,
        name=plan.name,
        note=end.why,
        counts=end.counts,
        goal=plan.spec.goals[0],
        best=end.best.value[0] if end.best is not None else None,
        failures=None if bad else {},
        resumable=resumable(end) and "once" not in plan.origin,
        run=end.run_id,
        store=plan.spec.tracking.uri,
    )


def _of_seen(entry: SweepEntry, seen: Seen) -> SweepRow:
    """What a journal says that was read."""
    running, plan, now = entry.holder is not None, seen.plan, time.time()
    best = seen.best(seen.goals[0]) if len(seen.goals) == 1 else None
    recent = [seen.hosts[row] for row in seen.order[seen.ends > now - 60].tolist()] if running else []
    once = plan is not None and "once" in plan.origin
    return SweepRow(
        entry.sweep,
        _state(entry, seen),
        entry.modified,
        name=seen.name,
        note=_note(entry, seen),
        counts=seen.counts if plan is not None else None,
        limited=seen.limited,
        goal=seen.goals[0] if plan is not None else None,
        best=None if best is None else float(seen.values(seen.goals[0])[best]),
        rate=seen.rate(now) if running else 0.0,
        at_work=seen.at_work if running else 0,
        slots=seen.most if running else 0,
        hosts=len({host for host in recent if host}),
        failures=seen.failures,
        resumable=plan is not None and not running and resumable(seen.ended) and not once,
        run="" if seen.parent is None else seen.parent.run_id,
        experiment="" if seen.parent is None else seen.parent.experiment_id,
        store=None if plan is None else plan.spec.tracking.uri,
    )


def _state(entry: SweepEntry, seen: Seen) -> str:
    if entry.holder is not None:
        return "running"
    return "unfinished" if seen.ended is None else seen.ended.state.value


def _note(entry: SweepEntry, seen: Seen) -> str:
    if entry.holder is not None:
        return f"pid {entry.holder.pid} on {entry.holder.host}"
    if seen.plan is None:
        return "Its driver died before anything was planned."
    if seen.ended is None:
        return "Its driver is gone, and did not end it."
    return seen.ended.why
