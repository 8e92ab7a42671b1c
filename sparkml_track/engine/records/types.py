"""What the journal of a sweep says, one type for each kind of record. How it is written is in ``codec``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.goal import Goal
from sparkml_track.trial import AttemptId, Counts, Params, RunLog, State

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
        busy: seconds over several units, which may run at one time; None for one unit.
        failed_units: index and message of each unit that failed, where trials have several.
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


# -- of the sweep


@dataclass(frozen=True, slots=True)
class PlannedSpec:
    """The spec that a sweep began with, as far as later drivers and readers need it.

    Attributes:
        goals: one for each objective.
        max_trials: the limit, None for none.
        seed: of the sampler and the trials, also if it was drawn.
        tracking: where and what is tracked; the URI has no secrets.
        checkpoint_root: of its failures section.
        described: all of the spec as JSON.
        units: how many a trial has.
    """

    goals: tuple[Goal, ...]
    max_trials: int | None
    seed: int
    tracking: Tracking
    checkpoint_root: str | None
    described: Mapping[str, object]
    units: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The sweep, before anything of it runs.

    Attributes:
        name: of the sweep.
        time: when it began, seconds since the epoch.
        spec: what was asked for.
        fingerprint: what the sweep is made of; see ``identity.fingerprint``.
        origin: where it was started from, so that a command can start it again.
    """

    name: str
    time: float
    spec: PlannedSpec
    fingerprint: Mapping[str, Mapping[str, object]]
    origin: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Parent:
    """A driver has the parent run.

    Attributes:
        run_id: of the parent run.
        experiment_id: of its experiment.
        time: when the driver began, seconds since the epoch; None in a journal made anew, as no driver worked then.
        behind: how far behind the trials lie that a suggestion used, None unless ``deterministic``.
    """

    run_id: str
    experiment_id: str
    time: float | None = None
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """Trials were accepted and are executed again."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Extended:
    """From now on the sweep may have so many trials, more than its plan says."""

    max_trials: int


@dataclass(frozen=True, slots=True)
class Published:
    """The tracking store has the child runs of trials."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Late:
    """So many late answers were refused so far, by all drivers."""

    answers: int


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The best trial of a single objective, with its value."""

    number: int
    value: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The sweep ended, and its parent run with it.

    Attributes:
        state: of the parent run.
        digest: over all results.
        counts: trials by state.
        best: None if there is none, and with several objectives.
        run_id: of the parent run.
        time: when, seconds since the epoch.
        stale: late answers that were refused, by all drivers.
        idle: slot seconds that drivers did not use, of those that ended; None if that is not known.
        why: it did not finish.
    """

    state: State
    digest: str
    counts: Counts
    best: BestTrial | None
    run_id: str
    time: float
    stale: int
    idle: float | None = None
    why: str = ""


OfTrial = Asked | Suggested | Submitted | Reported | Logged | Lost | UnitAccepted | Accepted
OfSweep = Plan | Parent | Retried | Extended | Published | Late | Ended
JournalRecord = OfTrial | OfSweep
