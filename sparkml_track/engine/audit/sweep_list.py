"""The sweeps of a home, for a person."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sparkml_track.engine.recovery.candidates import resumable
from sparkml_track.engine.results.history import History
from sparkml_track.errors import JournalError
from sparkml_track.journals import SweepEntry, read, sweeps
from sparkml_track.trial import Counts

__all__ = ["SweepState", "overview"]


@dataclass(frozen=True, slots=True)
class SweepState:
    """One sweep.

    Attributes:
        sweep: its id.
        state: "running", "unfinished", "finished", "failed", "killed" or "unreadable".
        counts: trials by state, None if the journal says nothing.
        age: seconds since something was last written.
        resumable: whether ``resume`` would go on with it.
        note: who runs it, or why it did not finish.
        run: id of its parent run, empty before there is one.
        experiment: where that is.
        tracked: the tracking URI without secrets; None for the home's own store.
    """

    sweep: str
    state: str
    counts: Counts | None
    age: float
    resumable: bool
    note: str = ""
    run: str = ""
    experiment: str = ""
    tracked: str | None = None


def overview(home: Path, limit: int | None = None) -> Sequence[SweepState]:
    """All sweeps with a journal under a home, the last modified first.

    Args:
        home: the state folder.
        limit: at most so many.

    Raises:
        JournalError: the folder cannot be read.
    """
    return [_state(home, entry) for entry in sweeps(home)[:limit]]


def _state(home: Path, entry: SweepEntry) -> SweepState:
    age = max(0.0, time.time() - entry.modified)
    try:
        past = History.of(read(home, entry.sweep))
    except JournalError as error:
        return SweepState(entry.sweep, "unreadable", None, age, False, str(error))
    counts = past.counts if past.plan is not None else None
    run, experiment = (past.parent.run_id, past.parent.experiment_id) if past.parent is not None else ("", "")
    tracked = past.plan.spec.tracking.uri if past.plan is not None else None
    stated = partial(SweepState, entry.sweep, counts=counts, age=age, run=run, experiment=experiment, tracked=tracked)
    if entry.holder is not None:
        return stated("running", resumable=False, note=f"pid {entry.holder.pid} on {entry.holder.host}")
    once = past.plan is not None and "once" in past.plan.origin
    if past.ended is None:
        return stated("unfinished", resumable=past.plan is not None and not once)
    return stated(past.ended.state.value, resumable=resumable(past.ended) and not once, note=past.ended.why)
