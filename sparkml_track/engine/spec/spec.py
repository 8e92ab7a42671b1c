"""A sweep as it was asked for: checked as a whole, every problem at once, before anything starts."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from dataclasses import fields as dataclass_fields

from sparkml_track import objective as objectives
from sparkml_track import space as spaces
from sparkml_track.engine.spec.units import ONE, Units, described_units
from sparkml_track.executors import Resources
from sparkml_track.goal import Goal
from sparkml_track.trackers import redacted
from sparkml_track.trial import Params

__all__ = ["COUNT", "NESTED", "Failures", "Spec", "Tracking", "described", "id_prefix", "new_sweep_id", "number_in"]

#: The K of ``top:K`` and ``best:K``.
COUNT = "[1-9][0-9]{0,5}"
#: What becomes of runs that a trial makes inside its own.
NESTED = ("keep", "merge", "refuse")


@dataclass(frozen=True, slots=True)
class Failures:
    """How much is put up with.

    Attributes:
        retries: further attempts after infrastructure was lost; the user's errors are never retried.
        max_failed: stop the sweep when more trials than this have failed, None for no limit.
        retry_failed: when a sweep is resumed, execute its failed trials again.
        checkpoint_root: folder on storage that all hosts have mounted: what a trial puts in ``checkpoint_dir`` is there
            for its next attempt, on whatever host and of whatever driver. None keeps it on one host.
    """

    retries: int = 2
    max_failed: int | None = None
    retry_failed: bool = False
    checkpoint_root: str | None = None


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where and what is tracked.

    Attributes:
        uri: an MLflow tracking URI; None for SQLite under SPARKML_HOME; "memory:" for nothing that stays.
        child_runs: "all", "none", or "top:K" for the K best finished trials, which get theirs when the sweep ends
            (those of an earlier, interrupted end stay); the table of all trials is on the parent run in any case.
        keep: whose artifacts: "all", or "best:K" for the K best finished trials, whose child runs get them when the
            sweep ends; what other trials leave is removed while it runs. Logs are kept in any case.
        artifact_root: folder on storage that all hosts have mounted: artifacts are written there and stay, and child
            runs have the tag ``sparkml.artifact_folder``. None sends them to the child runs.
        nested: runs that a trial makes inside its own through MLflow: "keep" (up to 100), "merge" into the trial's, or
            "refuse".
        slot_hour_price: what an hour of one slot costs, in any currency; the parent run then has the metric ``cost``.
            None for no price.
    """

    uri: str | None = None
    child_runs: str = "all"
    keep: str = "all"
    artifact_root: str | None = None
    nested: str = "keep"
    slot_hour_price: float | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """What a sweep is. Fields as the arguments of ``sparkml_track.sweep``, in their checked form.

    Attributes:
        goals: one for each objective.
        target: in the user's direction.
        patience: trials without an improvement.
        warm_start: id of an earlier sweep or of its parent run, whose finished trials the sampler learns.
        points: the user's own first trials, shaped like the space.
        autolog: MLflow's flavors that log by themselves in trials, with their options.
        units: how many a trial has, such as folds.
        seed_drawn: whether the seed was drawn here; a resumed sweep then takes that of the first driver.
        store_given: whether the caller named the tracking store; else a resumed sweep stays where it began.
        experiment_given: likewise of the experiment.
    """

    objective: Callable[..., object]
    space: spaces.Space
    name: str
    experiment: str
    goals: tuple[Goal, ...] = (Goal(),)
    sampler: object = "tpe"
    pruner: object = None
    max_trials: int | None = None
    timeout: float | None = None
    trial_timeout: float | None = None
    target: float | None = None
    patience: int | None = None
    parallelism: int | None = None
    seed: int = 0
    points: tuple[Params, ...] = ()
    warm_start: str | None = None
    executor: str = "auto"
    isolation: str = "recycled"
    deterministic: bool = False
    resume: str = "auto"
    resources: Resources = field(default_factory=Resources)
    failures: Failures = field(default_factory=Failures)
    tracking: Tracking = field(default_factory=Tracking)
    autolog: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    units: Units = ONE
    seed_drawn: bool = False
    store_given: bool = True
    experiment_given: bool = True

    @property
    def metric(self) -> tuple[str, ...]:
        """The names of the objectives."""
        return tuple(goal.metric for goal in self.goals)

    @property
    def direction(self) -> tuple[str, ...]:
        """Their directions in words."""
        return tuple(goal.direction for goal in self.goals)

    def plan(self) -> dict[str, object]:
        """All of it as JSON: what the ``plan`` record holds."""
        fields: dict[str, object] = {}
        for each in dataclass_fields(self):
            names = ("metric", "direction") if each.name == "goals" else (each.name,)
            fields |= {name: described(getattr(self, name)) for name in names}
        del fields["units"]
        if self.units != ONE:
            fields["units"] = described_units(self.units)
        fields["objective"] = objectives.name_of(self.objective)
        fields["space"] = self.space.spec()
        uri = self.tracking.uri
        fields["tracking"] = described(replace(self.tracking, uri=uri and redacted(uri)))
        return fields

    def params(self) -> dict[str, object]:
        """What is shown as params of the parent run."""
        limits = ("max_trials", "timeout", "trial_timeout", "target", "patience", "parallelism")
        shown = ("sampler", "pruner", *limits, "seed", "isolation", "warm_start")
        flat: dict[str, object] = {name: getattr(self, name) for name in shown if getattr(self, name) is not None}
        flat |= {"objective": objectives.name_of(self.objective), "deterministic": self.deterministic}
        flat |= {"metric": ",".join(self.metric), "direction": ",".join(self.direction)}
        flat |= {"gang": self.units.gang} if self.units.gang > 1 else {}
        if self.tracking.slot_hour_price is not None:
            flat["slot_hour_price"] = self.tracking.slot_hour_price
        return flat | {"cpus": self.resources.cpus, "retries": self.failures.retries}


def number_in(choice: str) -> int | None:
    """The K of ``top:K`` and ``best:K``; None for words without a number, and for what is refused."""
    number = choice.partition(":")[2]
    return int(number) if re.fullmatch(COUNT, number) else None


def new_sweep_id(name: str) -> str:
    """An id for a sweep: its name, the time and four random digits, in ``[A-Za-z0-9_-]{1,64}``."""
    return f"{id_prefix(name)}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def id_prefix(name: str) -> str:
    """How the ids of all sweeps of a name begin."""
    return (re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40] or "sweep") + "-"


def described(value: object) -> object:
    """A JSON value that says what this is: plain values as they are, objects by their type."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): described(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [described(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: described(getattr(value, each.name)) for each in dataclass_fields(value)}
    return f"{type(value).__module__}.{type(value).__qualname__}"
