"""A sweep as it was asked for: checked as a whole, every problem at once, before anything starts."""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from dataclasses import fields as dataclass_fields

from sparkml_track import objective as objectives
from sparkml_track import space as spaces
from sparkml_track.engine.roots import root_problems
from sparkml_track.errors import InvalidInput, SpecError
from sparkml_track.executors import NAMES, Resources
from sparkml_track.trackers import redacted
from sparkml_track.trial import Params

__all__ = ["Failures", "Spec", "Tracking", "check", "described", "id_prefix", "new_sweep_id", "number_in"]

#: The K of ``top:K`` and ``best:K``.
_COUNT = "[1-9][0-9]{0,5}"


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
    """

    uri: str | None = None
    child_runs: str = "all"
    keep: str = "all"
    artifact_root: str | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """What a sweep is. Fields as the arguments of ``sparkml_track.sweep``, in their checked form.

    Attributes:
        metric: one name for each objective.
        direction: "minimize" or "maximize", one for each.
        target: in the user's direction.
        patience: trials without an improvement.
        warm_start: id of an earlier sweep or of its parent run, whose finished trials the sampler is told.
        points: the user's own first trials, shaped like the space.
        seed_drawn: whether the seed was drawn here; a resumed sweep then takes that of the first driver.
    """

    objective: Callable[..., object]
    space: spaces.Space
    name: str
    experiment: str
    metric: tuple[str, ...] = ("loss",)
    direction: tuple[str, ...] = ("minimize",)
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
    seed_drawn: bool = False

    def plan(self) -> dict[str, object]:
        """All of it as JSON: what the ``plan`` record holds."""
        fields = {each.name: described(getattr(self, each.name)) for each in dataclass_fields(self)}
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
        return flat | {"cpus": self.resources.cpus, "retries": self.failures.retries}


def number_in(choice: str) -> int | None:
    """The K of ``top:K`` and ``best:K``; None for words without a number, and for what is refused."""
    number = choice.partition(":")[2]
    return int(number) if re.fullmatch(_COUNT, number) else None


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


def check(given: Mapping[str, object]) -> Spec:
    """Checks the arguments of a sweep.

    Raises:
        InvalidInput: one sentence for each problem; ``SpecError`` if any is not of space or objective.
    """
    checker = _Checker(given)
    spec = checker.spec()
    if checker.problems or spec is None:
        raise SpecError(*checker.problems)
    return spec


class _Checker:
    """Collects problems while it turns arguments into fields."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given
        self.problems: list[str] = []

    def spec(self) -> Spec | None:
        given = self._given
        self.problems += objectives.problems(given["objective"])
        space = self._space()
        metric, direction = self._objectives()
        fields: dict[str, object] = {name: given[name] for name in ("sampler", "pruner", "resources", "failures")}
        fields |= {name: self._count(name) for name in ("max_trials", "parallelism", "patience")}
        fields |= {name: self._seconds(name) for name in ("timeout", "trial_timeout")}
        fields |= {"isolation": self._one_of("isolation", ("recycled", "fresh")), "target": self._target(metric)}
        fields["warm_start"] = self._warm_start()
        fields |= {"executor": self._one_of("executor", NAMES), "tracking": self._tracking()}
        fields |= {"seed": self._seed(), "deterministic": bool(given["deterministic"]), "resume": str(given["resume"])}
        fields["seed_drawn"] = given["seed"] is None
        self._limits()
        self._together()
        if space is None or self.problems:
            return None
        name = str(given["name"] or objectives.name_of(given["objective"]).rpartition(".")[2])
        fields |= {"points": self._points(space), "name": name, "experiment": str(given["experiment"] or name)}
        return Spec(given["objective"], space, metric=metric, direction=direction, **fields)  # type: ignore[arg-type]

    def _space(self) -> spaces.Space | None:
        space = self._given["space"]
        if isinstance(space, spaces.Space):
            return space
        if not isinstance(space, Mapping):
            self.problems.append(f"space is a {type(space).__name__}; allowed is a mapping of names to distributions")
            return None
        try:
            return spaces.parse(space)
        except InvalidInput as error:
            self.problems += [f"space: {problem}" for problem in error.problems]
            return None

    def _points(self, space: spaces.Space) -> tuple[Params, ...]:
        points: list[Params] = []
        given = self._given["points_to_evaluate"]
        if not isinstance(given, Sequence) or not all(isinstance(point, Mapping) for point in given):
            self.problems.append(f"points_to_evaluate is {given!r:.80}; allowed is a sequence of mappings")
            return ()
        for i, point in enumerate(given):
            try:
                points.append(space.from_point(point))
            except InvalidInput as error:
                self.problems += [f"points_to_evaluate[{i}]: {problem}" for problem in error.problems]
        return tuple(points)

    def _objectives(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        metric, direction = _sequence(self._given["metric"]), _sequence(self._given["direction"])
        if not metric or not all(metric):
            self.problems.append(f"metric is {self._given['metric']!r}; allowed is a name, or a sequence of names")
        if len(direction) == 1:
            direction *= len(metric)
        if len(direction) != len(metric) or not set(direction) <= {"minimize", "maximize"}:
            got = self._given["direction"]
            self.problems.append(f"direction is {got!r}; allowed are 'minimize' and 'maximize', one for each metric")
        return metric, direction

    def _count(self, name: str) -> int | None:
        value = self._given.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
            return value
        self.problems.append(f"{name} is {value!r}; allowed is a whole number of at least 1, or None")
        return None

    def _seconds(self, name: str) -> float | None:
        value = self._given[name]
        if value is None:
            return None
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
        if not good:
            self.problems.append(f"{name} is {value!r}; allowed is a number of seconds above 0, or None")
            return None
        return float(value)  # type: ignore[arg-type]

    def _target(self, metric: Sequence[str]) -> float | None:
        value = self._given.get("target")
        if len(metric) > 1 and (value is not None or self._given.get("patience") is not None):
            self.problems.append(f"target and patience take one metric, not {len(metric)}; leave them out")
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            self.problems.append(f"target is {value!r}; allowed is a finite number, or None")
            return None
        return float(value)

    def _warm_start(self) -> str | None:
        value = self._given.get("warm_start")
        if value is None or (isinstance(value, str) and value):
            return value
        self.problems.append(f"warm_start is {value!r}; allowed is the id of a sweep or of its parent run, or None")
        return None

    def _one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self._given[name]
        if value not in allowed:
            self.problems.append(f"{name} is {value!r}; allowed are {', '.join(allowed)}")
        return str(value)

    def _seed(self) -> int:
        seed = self._given["seed"]
        if seed is None:
            return secrets.randbelow(2**31)
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            self.problems.append(f"seed is {seed!r}; allowed is a whole number of at least 0, or None")
            return 0
        return seed

    def _tracking(self) -> Tracking:
        tracking = self._given["tracking"]
        if not isinstance(tracking, Tracking):
            self.problems.append(f"tracking is {tracking!r}; allowed is Tracking(uri=..., child_runs=..., ...)")
            return Tracking()
        if not re.fullmatch(f"all|none|top:{_COUNT}", str(tracking.child_runs)):
            self.problems.append(
                f"child_runs is {tracking.child_runs!r}; allowed are 'all', 'none' and 'top:K' with K from 1 to 999999"
            )
        elif tracking.child_runs.startswith("top:") and len(_sequence(self._given["metric"])) > 1:
            self.problems.append(f"child_runs is {tracking.child_runs!r}, which takes one metric; take 'all' or 'none'")
        self._keep(tracking)
        if tracking.uri == "memory":
            self.problems.append("tracking.uri is 'memory'; allowed is 'memory:', with a colon, or an MLflow URI")
        return tracking

    def _keep(self, tracking: Tracking) -> None:
        keep, shown = tracking.keep, str(tracking.child_runs)
        if not re.fullmatch(f"all|best:{_COUNT}", str(keep)):
            self.problems.append(f"keep is {keep!r}; allowed are 'all' and 'best:K' with K from 1 to 999999")
            return
        most, runs = number_in(keep), number_in(shown)
        if most is not None and len(_sequence(self._given["metric"])) > 1:
            self.problems.append(f"keep is {keep!r}, which takes one metric; take 'all'")
        if most is not None and shown == "none":
            self.problems.append(
                f"keep is {keep!r}, but child_runs='none' leaves no child run that could have artifacts; "
                f"take child_runs='all' or 'top:{most}'"
            )
        if most is not None and runs is not None and most > runs:
            self.problems.append(
                f"keep is {keep!r}, but child_runs is {shown!r}: only {runs} trials have a child run that can have "
                f"artifacts; take keep='best:{runs}', or child_runs='all' or 'top:{most}'"
            )

    def _limits(self) -> None:
        resources, failures = self._given["resources"], self._given["failures"]
        self.problems += root_problems(failures, self._given["tracking"])
        if not isinstance(resources, Resources) or not _whole(resources.cpus, 1) or not _whole(resources.gpus, 0):
            self.problems.append(
                f"resources is {resources!r}; allowed is Resources(cpus=1 or more, gpus=0 or more, ...)"
            )
        elif resources.memory is not None and not _whole(resources.memory, 1):
            self.problems.append(f"resources.memory is {resources.memory!r}; allowed is a number of bytes, or None")
        if not isinstance(failures, Failures) or not _whole(failures.retries, 0):
            self.problems.append(f"failures is {failures!r}; allowed is Failures(retries=0 or more, max_failed=...)")
        elif failures.max_failed is not None and not _whole(failures.max_failed, 0):
            self.problems.append(f"failures.max_failed is {failures.max_failed!r}; allowed is 0 or more, or None")

    def _together(self) -> None:
        given = self._given
        if given["max_trials"] is None and given["timeout"] is None and given["sampler"] != "grid":
            self.problems.append("neither max_trials nor timeout is given; one of them must end the sweep")
        metrics = _sequence(given["metric"])
        if given["pruner"] is not None and len(metrics) > 1:
            self.problems.append(f"a pruner takes one metric, not {len(metrics)}; leave one of both out")
        if given["deterministic"] and given["pruner"] is not None:
            self.problems.append("deterministic=True and a pruner exclude each other: what is pruned depends on timing")


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _sequence(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, Sequence) else ()
