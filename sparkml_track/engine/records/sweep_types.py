"""What the journal says of a sweep as a whole. See ``types``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.goal import Goal
from sparkml_track.trial import Counts, State

__all__ = ["BestTrial", "Ended", "Extended", "Late", "Parent", "Plan", "PlannedSpec", "Published", "Retried"]


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
