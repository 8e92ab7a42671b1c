"""What the journal of a sweep says, one type for each kind of record. How it is written is in ``codec``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparkml_track.engine.records.sweep_types import (
    BestTrial,
    Ended,
    Extended,
    Late,
    Parent,
    Plan,
    PlannedSpec,
    Published,
    Retried,
)
from sparkml_track.trial import UNMEASURED, AttemptId, Params, RunLog, State, Usage

__all__ = [
    "Accepted",
    "Asked",
    "BestTrial",
    "Ended",
    "Extended",
    "JournalRecord",
    "Late",
    "Logged",
    "Lost",
    "OfSweep",
    "OfTrial",
    "Parent",
    "Plan",
    "PlannedSpec",
    "Published",
    "Reported",
    "Retried",
    "Submitted",
    "Suggested",
    "UnitAccepted",
]


# -- of a trial, in the order it makes them


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial exists.

    Attributes:
        number: the trial's.
        params: shaped like the space.
        seed: for the objective's own randomness.
    """

    number: int
    params: Params
    seed: int


@dataclass(frozen=True, slots=True)
class Suggested:
    """A trial that ran was given params, beside those that it was asked with.

    Attributes:
        number: the trial's.
        params: the new ones.
    """

    number: int
    params: Params


@dataclass(frozen=True, slots=True)
class Submitted:
    """An attempt was given to the executor."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class Reported:
    """An attempt gave metrics of a step.

    Attributes:
        attempt: which one.
        step: as the objective counts.
        metrics: names to numbers.
        time: when it was made, seconds since the epoch.
    """

    attempt: AttemptId
    step: int
    metrics: Mapping[str, float]
    time: float


@dataclass(frozen=True, slots=True)
class Logged:
    """An attempt logged through MLflow."""

    attempt: AttemptId
    log: RunLog


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt ended without an outcome.

    Attributes:
        attempt: which one.
        message: what was lost, for a person.
        charged: it counts against the trial.
        host: where it ran, empty if it had not begun.
        time: when the driver learned of it, seconds since the epoch.
    """

    attempt: AttemptId
    message: str
    charged: bool
    host: str
    time: float


@dataclass(frozen=True, slots=True)
class UnitAccepted:
    """The outcome of a unit, where trials have several; the trial's ``Accepted`` comes after those of its units.

    Attributes:
        attempt: the one that was accepted.
        state: a terminal state.
        metrics: what the objective returned.
        started: seconds since the epoch.
        duration: seconds.
        host: where the attempt ran.
        reason: one of ``schema.REASONS``, empty if finished.
        message: for a person.
        log: of the unit.
        artifacts: folder that the attempt left, empty for none.
        in_place: the folder stays under ``artifact_root``.
        usage: what the attempt took of its host.
    """

    attempt: AttemptId
    state: State
    metrics: Mapping[str, float]
    started: float
    duration: float
    host: str
    reason: str = ""
    message: str = ""
    log: str = ""
    artifacts: str = ""
    in_place: bool = False
    usage: Usage = UNMEASURED


@dataclass(frozen=True, slots=True)
class Accepted:
    """The outcome of a trial; the accounting rests on these.

    Attributes:
        number: the trial's.
        state: a terminal state.
        metrics: the final ones.
        attempts: how many there were; of several units, at the one that took most.
        started: seconds since the epoch.
        duration: seconds.
        host: where the accepted attempt ran; of several units, all hosts.
        reason: one of ``schema.REASONS``, empty if finished.
        message: for a person.
        log: of the child run.
        artifacts: folder that the accepted attempt left, empty for none.
        in_place: the folder stays under ``artifact_root``.
        busy: seconds of slots, of trials that may have several at one time; None for those of one unit and slot.
        failed_units: index and message of each unit that failed, where trials have several.
        usage: what the accepted attempt took of its host; of several units all of them.
    """

    number: int
    state: State
    metrics: Mapping[str, float]
    attempts: int
    started: float
    duration: float
    host: str
    reason: str = ""
    message: str = ""
    log: str = ""
    artifacts: str = ""
    in_place: bool = False
    busy: float | None = None
    failed_units: tuple[tuple[int, str], ...] = ()
    usage: Usage = UNMEASURED


OfTrial = Asked | Suggested | Submitted | Reported | Logged | Lost | UnitAccepted | Accepted
OfSweep = Plan | Parent | Retried | Extended | Published | Late | Ended
JournalRecord = OfTrial | OfSweep
