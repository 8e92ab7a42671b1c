"""The arguments of a sweep, checked: every problem at once, before anything starts."""

from __future__ import annotations

import operator
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral

from sparkml_track import objective as objectives
from sparkml_track import pruners, samplers
from sparkml_track import space as spaces
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.autolog import autolog_flavors
from sparkml_track.engine.spec.kinds import as_names, is_finite, is_unicode, is_whole
from sparkml_track.engine.spec.roots import root_problems
from sparkml_track.engine.spec.space_warnings import warn_of_lists
from sparkml_track.engine.spec.spec import COUNT, NESTED, Failures, Spec, Tracking, number_in
from sparkml_track.engine.spec.units import Units, units_of
from sparkml_track.errors import InvalidInput, SpecError
from sparkml_track.executors import NAMES, WITHOUT_GANGS, Resources, no_gangs
from sparkml_track.goal import DIRECTIONS, Goal, goals_of
from sparkml_track.trackers import problems as store_problems
from sparkml_track.trial import Params

__all__ = ["check"]

_WHOLE = "allowed is text that UTF-8 can encode (from a file name, decode its bytes with errors='replace')"
#: Characters of a name; MLflow takes 500.
_LONGEST = 200


def check(given: SweepArguments) -> Spec:
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

    def __init__(self, given: SweepArguments) -> None:
        self._given = given
        self.problems: list[str] = []

    def spec(self) -> Spec | None:
        given = self._given
        self.problems += objectives.problems(given.objective)
        space = self._space()
        goals = self._objectives()
        metric = tuple(goal.metric for goal in goals)
        fields: dict[str, object] = {
            name: getattr(given, name) for name in ("sampler", "pruner", "resources", "failures")
        }
        fields |= {name: self._count(name) for name in ("max_trials", "parallelism", "patience")}
        fields |= {name: self._seconds(name) for name in ("timeout", "trial_timeout")}
        fields |= {"isolation": self._one_of("isolation", ("recycled", "fresh")), "target": self._target(metric)}
        fields |= {"warm_start": self._warm_start(), "autolog": self._autolog()}
        fields |= {"executor": self._one_of("executor", NAMES), "tracking": self._tracking()}
        fields |= {"seed": self._seed(), "deterministic": bool(given.deterministic), "resume": str(given.resume)}
        fields |= {"seed_drawn": given.seed is None, "units": self._units()}
        fields |= {"store_given": given.store_given, "experiment_given": given.experiment_given}
        self._limits()
        self._together()
        name, experiment = self._text("name"), self._text("experiment")
        if space is not None and self.problems:
            self._search(space, metric)
        if space is None or self.problems:
            return None
        self._stored(space)
        warn_of_lists(space)
        name = name or objectives.name_of(given.objective).rpartition(".")[2]
        fields |= {"points": self._points(space), "name": name, "experiment": experiment or name}
        return Spec(given.objective, space, goals=goals, **fields)  # type: ignore[arg-type]

    def _text(self, name: str) -> str | None:
        value: object = getattr(self._given, name)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            self.problems.append(f"{name} is {value!r}; allowed is text, or None")
            return None
        if not is_unicode(value):
            self.problems.append(f"{name} is {value!a}, which is not Unicode text; {_WHOLE}")
            return None
        if len(value) > _LONGEST:
            self.problems.append(f"{name} has {len(value)} characters; allowed are {_LONGEST}")
        return value

    def _search(self, space: spaces.Space, metric: Sequence[str]) -> None:
        """What is wrong with sampler and pruner, to be reported with the rest; else they raise it later."""
        builds: tuple[Callable[[], object], ...] = (
            lambda: samplers.build(self._given.sampler, space, seed=0, objectives=len(metric)),
            lambda: pruners.build(self._given.pruner, seed=0),
        )
        for build in builds:
            try:
                build()
            except InvalidInput as error:
                self.problems += error.problems

    def _space(self) -> spaces.Space | None:
        space = self._given.space
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

    def _stored(self, space: spaces.Space) -> None:
        """What the tracking store would cut without a word."""
        found = (text for name, value in space.plain for text in store_problems({name: value}))
        self.problems += dict.fromkeys(f"space: {text}" for text in found)

    def _points(self, space: spaces.Space) -> tuple[Params, ...]:
        points: list[Params] = []
        given = self._given.points_to_evaluate
        if not isinstance(given, Sequence) or not all(isinstance(point, Mapping) for point in given):
            self.problems.append(f"points_to_evaluate is {given!r:.80}; allowed is a sequence of mappings")
            return ()
        most = self._given.max_trials
        if isinstance(most, Integral) and len(given) > int(most):
            self.problems.append(
                f"points_to_evaluate has {len(given)} points, but max_trials is {most}; give as many trials at least"
            )
        for i, point in enumerate(given):
            try:
                points.append(space.from_point(point))
            except InvalidInput as error:
                self.problems += [f"points_to_evaluate[{i}]: {problem}" for problem in error.problems]
        return tuple(points)

    def _objectives(self) -> tuple[Goal, ...]:
        metric, direction = as_names(self._given.metric), as_names(self._given.direction)
        if not metric or not all(metric):
            self.problems.append(f"metric is {self._given.metric!r}; allowed is a name, or a sequence of names")
        self.problems += [f"metric {name!a} is not Unicode text; {_WHOLE}" for name in metric if not is_unicode(name)]
        if len(direction) == 1:
            direction *= len(metric)
        if len(direction) != len(metric) or not set(direction) <= set(DIRECTIONS):
            got = self._given.direction
            self.problems.append(f"direction is {got!r}; allowed are 'minimize' and 'maximize', one for each metric")
            direction = DIRECTIONS[:1] * len(metric)
        return goals_of(metric, direction)

    def _count(self, name: str) -> int | None:
        value: object = getattr(self._given, name)
        if value is None:
            return None
        if is_whole(value, 1):
            return operator.index(value)  # type: ignore[arg-type]
        self.problems.append(f"{name} is {value!r}; allowed is a whole number of at least 1, or None")
        return None

    def _seconds(self, name: str) -> float | None:
        value: object = getattr(self._given, name)
        if value is None:
            return None
        if not is_finite(value) or not value > 0:  # type: ignore[operator]
            self.problems.append(f"{name} is {value!r}; allowed is a number of seconds above 0, or None")
            return None
        return float(value)  # type: ignore[arg-type]

    def _target(self, metric: Sequence[str]) -> float | None:
        value = self._given.target
        if len(metric) > 1 and (value is not None or self._given.patience is not None):
            self.problems.append(f"target and patience take one metric, not {len(metric)}; leave them out")
        if value is None:
            return None
        if not is_finite(value):
            self.problems.append(f"target is {value!r}; allowed is a finite number, or None")
            return None
        return float(value)  # type: ignore[arg-type]

    def _warm_start(self) -> str | None:
        value = self._given.warm_start
        if value is None or (isinstance(value, str) and value):
            return value
        self.problems.append(f"warm_start is {value!r}; allowed is the id of a sweep or of its parent run, or None")
        return None

    def _one_of(self, name: str, allowed: Sequence[str]) -> str:
        value: object = getattr(self._given, name)
        if value not in allowed:
            self.problems.append(f"{name} is {value!r}; allowed are {', '.join(allowed)}")
        return str(value)

    def _seed(self) -> int:
        seed = self._given.seed
        if seed is None:
            return secrets.randbelow(2**31)
        if not is_whole(seed, 0):
            self.problems.append(f"seed is {seed!r}; allowed is a whole number of at least 0, or None")
            return 0
        return operator.index(seed)  # type: ignore[arg-type]

    def _autolog(self) -> Mapping[str, Mapping[str, object]]:
        flavors, problems = autolog_flavors(self._given.autolog, str(self._given.executor))
        self.problems += problems
        return flavors

    def _units(self) -> Units:
        units, problems = units_of(self._given.units, self._given.gang)
        self.problems += problems
        return units

    def _tracking(self) -> Tracking:
        tracking = self._given.tracking
        if not isinstance(tracking, Tracking):
            self.problems.append(f"tracking is {tracking!r}; allowed is Tracking(uri=..., child_runs=..., ...)")
            return Tracking()
        if not re.fullmatch(f"all|none|top:{COUNT}", str(tracking.child_runs)):
            self.problems.append(
                f"child_runs is {tracking.child_runs!r}; allowed are 'all', 'none' and 'top:K' with K from 1 to 999999"
            )
        elif tracking.child_runs.startswith("top:") and len(as_names(self._given.metric)) > 1:
            self.problems.append(f"child_runs is {tracking.child_runs!r}, which takes one metric; take 'all' or 'none'")
        self._keep(tracking)
        if tracking.nested not in NESTED:
            self.problems.append(f"nested is {tracking.nested!r}; allowed are {', '.join(map(repr, NESTED))}")
        price: object = tracking.slot_hour_price
        if price is not None and (not is_finite(price) or price < 0):  # type: ignore[operator]
            self.problems.append(f"slot_hour_price is {price!r}; allowed is a number of at least 0, or None")
        elif price is not None:
            tracking = replace(tracking, slot_hour_price=float(price))  # type: ignore[arg-type]
        if tracking.uri == "memory":
            self.problems.append("tracking.uri is 'memory'; allowed is 'memory:', with a colon, or an MLflow URI")
        return tracking

    def _keep(self, tracking: Tracking) -> None:
        keep, shown = tracking.keep, str(tracking.child_runs)
        if not re.fullmatch(f"all|best:{COUNT}", str(keep)):
            self.problems.append(f"keep is {keep!r}; allowed are 'all' and 'best:K' with K from 1 to 999999")
            return
        most, runs = number_in(keep), number_in(shown)
        if most is not None and len(as_names(self._given.metric)) > 1:
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
        resources, failures = self._given.resources, self._given.failures
        self.problems += root_problems(failures, self._given.tracking)
        if not isinstance(resources, Resources) or not is_whole(resources.cpus, 1) or not is_whole(resources.gpus, 0):
            self.problems.append(f"resources is {resources!r}; allowed is Resources(cpus=1 or more, gpus=0 or more)")
        elif resources.memory is not None and not is_whole(resources.memory, 1):
            self.problems.append(
                f"resources.memory is {resources.memory!r}; allowed is a number of bytes, such as 512 * 2**20 for "
                "512 MiB, or None"
            )
        if not isinstance(failures, Failures) or not is_whole(failures.retries, 0):
            self.problems.append(f"failures is {failures!r}; allowed is Failures(retries=0 or more, max_failed=...)")
        elif failures.max_failed is not None and not is_whole(failures.max_failed, 0):
            self.problems.append(f"failures.max_failed is {failures.max_failed!r}; allowed is 0 or more, or None")

    def _together(self) -> None:
        given = self._given
        data = given.data
        if data is not None and not isinstance(data, Mapping):
            self.problems.append(f"data is a {type(data).__name__}; allowed is a mapping of names to data, or None")
        if given.max_trials is None and given.timeout is None and not _ends(given.sampler):
            self.problems.append("neither max_trials nor timeout is given; one of them must end the sweep")
        if given.pruner is not None and (several := len(as_names(given.metric))) > 1:
            self.problems.append(f"a pruner takes one metric, not {several}; leave one of both out")
        if is_whole(given.gang, 2) and given.executor in WITHOUT_GANGS:
            self.problems.append(no_gangs(str(given.executor), given.gang))
        if given.deterministic and given.pruner is not None:
            self.problems.append("deterministic=True and a pruner exclude each other: what is pruned depends on timing")


def _ends(sampler: object) -> bool:
    """Whether the sampler itself ends the sweep."""
    return sampler == "grid" or (isinstance(sampler, samplers.Sampler) and sampler.capabilities.finite)
