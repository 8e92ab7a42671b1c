"""From the best parameters of a sweep to a registered model: refit, measure, compare, alias.

The gate: a candidate becomes champion only if it beats every baseline and the champion of now, each measured anew on
the same pinned test data. Figures are of the model as the registry gives it back, not of the one in memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sparkml_track.errors import DataError, ObjectiveError, RegistryError, SparkmlError, SpecError
from sparkml_track.refs import DataRef, ModelRef
from sparkml_track.registries import ALIAS_CHALLENGER, ALIAS_CHAMPION, Package, Registry, Run
from sparkml_track.schema import TAG_SWEEP, TAG_SWEEP_RUN, TAG_VERDICT, TAG_VERDICT_WHY
from sparkml_track.space.tree import flatten

__all__ = ["Measured", "Promotion", "Recipe", "Verdict", "register"]

_DIRECTIONS = ("minimize", "maximize")
_SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The user's functions. ``data`` maps "train", "valid" and "test" to Arrow tables.

    Attributes:
        refit: (params, data, seed) to a fitted model; must leave ``data["test"]`` alone.
        baselines: (data, seed) to fitted models by name, at least one.
        evaluate: (model, table) to metrics by name.
        inputs: (table) to the pandas data frame a model takes.
        method: what models are asked by, "predict_proba" or "predict".
    """

    refit: Callable[[Mapping[str, Any], Mapping[str, Any], int], Any]
    baselines: Callable[[Mapping[str, Any], int], Mapping[str, Any]]
    evaluate: Callable[[Any, Any], Mapping[str, float]]
    inputs: Callable[[Any], Any]
    method: str = "predict_proba"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What to register, and what decides.

    Attributes:
        model: the registered name.
        experiment: where the run goes.
        params: the best parameters, shaped like the space.
        metric: of ``evaluate``; decides.
        direction: "minimize" or "maximize".
        margin: by how much each opponent must be beaten; in the metric's unit.
        seed: for refit and baselines.
        sweep: the sweep id, kept as a tag.
        sweep_run: the run id of the parent run, kept as a tag.
        data: references of the splits, with table versions, logged on the run.
    """

    model: str
    experiment: str
    params: Mapping[str, Any]
    metric: str
    direction: str = "minimize"
    margin: float = 0.0
    seed: int = 0
    sweep: str = ""
    sweep_run: str = ""
    data: Sequence[DataRef] = ()

    def __post_init__(self) -> None:
        problems = []
        if self.direction not in _DIRECTIONS:
            problems.append(f"direction is {self.direction!r}, allowed are {' and '.join(_DIRECTIONS)}")
        if not (math.isfinite(self.margin) and self.margin >= 0):
            problems.append(f"margin is {self.margin}, it must be a number from 0")
        if problems:
            raise SpecError(*problems)

    def beats(self, value: float, other: float) -> bool:
        """Whether ``value`` is better than ``other`` by more than the margin; nan beats nothing."""
        gain = other - value if self.direction == "minimize" else value - other
        return gain > self.margin


@dataclass(frozen=True, slots=True)
class Measured:
    """One model on the test data.

    Attributes:
        name: "candidate", "champion" or the baseline's name.
        metrics: by name.
        ref: where it is registered; None for a baseline.
    """

    name: str
    metrics: Mapping[str, float]
    ref: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a promotion came to.

    Attributes:
        candidate: as registered.
        champion: the champion before, None the first time.
        baselines: by name.
        metric: what decided.
        direction: of it.
        alias: what the candidate is now, "champion" or "challenger".
        reason: one sentence with the figures.
        seconds: how long each step took.
    """

    candidate: Measured
    champion: Measured | None
    baselines: Sequence[Measured]
    metric: str
    direction: str
    alias: str
    reason: str
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def promoted(self) -> bool:
        """Whether the candidate is the champion now."""
        return self.alias == ALIAS_CHAMPION

    @property
    def model(self) -> ModelRef:
        """The candidate's version."""
        assert self.candidate.ref is not None
        return self.candidate.ref


def register(spec: Promotion, recipe: Recipe, data: Mapping[str, Any], registry: Registry) -> Verdict:
    """Refits, registers, compares and sets the alias.

    Args:
        spec: what decides.
        recipe: the user's functions.
        data: Arrow tables "train", "valid" and "test"; read once at pinned versions by the caller.
        registry: where models live.

    Raises:
        DataError: a split is missing or empty.
        ObjectiveError: a function of the recipe raised or gave something else than it should.
        RegistryError: the registry failed, or the champion moved meanwhile; a version may be there, without an alias.
    """
    _check(data)
    champion = registry.alias(spec.model, ALIAS_CHAMPION)
    clock = _Clock()
    with clock.step("refit"), _by_user("refit"):
        model = recipe.refit(spec.params, data, spec.seed)
    with clock.step("register"):
        ref = registry.register(spec.model, _package(model, recipe, data["test"]), _run(spec))
    with clock.step("compare"):
        candidate = _measure("candidate", registry.load(ref), recipe, data["test"], ref)
        baselines = _baselines(spec, recipe, data)
        before = None if champion is None else _again(champion, registry, recipe, data["test"])
    alias, reason = _decide(spec, candidate, [*baselines, *([] if before is None else [before])])
    verdict = Verdict(candidate, before, baselines, spec.metric, spec.direction, alias, reason, clock.seconds)
    _announce(spec, verdict, registry, champion)
    return verdict


def _check(data: Mapping[str, Any]) -> None:
    wrong = [f"{name} is {'empty' if name in data else 'missing'}" for name in _SPLITS if not len(data.get(name, ()))]
    if wrong:
        raise DataError(f"a model is registered from {', '.join(_SPLITS)} with rows in each: {', '.join(wrong)}")


def _package(model: Any, recipe: Recipe, test: Any) -> Package:
    with _by_user("inputs"):
        return Package(model, recipe.inputs(test.slice(0, 5)), recipe.method)


def _run(spec: Promotion) -> Run:
    tags = {TAG_SWEEP: spec.sweep, TAG_SWEEP_RUN: spec.sweep_run}
    return Run(
        kind="model",
        name=f"{spec.model} of {spec.sweep}" if spec.sweep else spec.model,
        experiment=spec.experiment,
        params={**flatten(spec.params), "promotion.metric": spec.metric, "promotion.seed": spec.seed},
        tags={key: value for key, value in tags.items() if value},
        data=spec.data,
        started=time.time(),
    )


def _baselines(spec: Promotion, recipe: Recipe, data: Mapping[str, Any]) -> tuple[Measured, ...]:
    with _by_user("baselines"):
        fitted = recipe.baselines(data, spec.seed)
    if not fitted:
        raise ObjectiveError("baselines gave no model; give at least one that a candidate must beat")
    return tuple(_measure(name, model, recipe, data["test"]) for name, model in fitted.items())


def _again(champion: ModelRef, registry: Registry, recipe: Recipe, test: Any) -> Measured:
    """The champion on the data of today, whatever it was once measured on."""
    try:
        return _measure("champion", registry.load(champion), recipe, test, champion)
    except ObjectiveError as error:
        raise DataError(
            f"the champion {champion} cannot be measured on the test data, so nothing can be compared: {error}. "
            f"Its inputs may have been other columns. Remove the alias {ALIAS_CHAMPION!r} to start anew."
        ) from error


def _measure(name: str, model: Any, recipe: Recipe, test: Any, ref: ModelRef | None = None) -> Measured:
    with _by_user(f"evaluate of {ref or name}"):
        return Measured(name, {key: float(value) for key, value in recipe.evaluate(model, test).items()}, ref)


def _decide(spec: Promotion, candidate: Measured, opponents: Sequence[Measured]) -> tuple[str, str]:
    """The alias, and the sentence that says why."""
    own = _value(spec, candidate)
    won: list[str] = []
    lost: list[str] = []
    for opponent in opponents:
        other = _value(spec, opponent)
        (won if spec.beats(own, other) else lost).append(f"{opponent.name} ({other:.4f})")
    figure = f"test {spec.metric} {own:.4f}"
    if lost:
        return ALIAS_CHALLENGER, f"{figure} does not beat {', '.join(lost)}"
    return ALIAS_CHAMPION, f"{figure} beats {', '.join(won)}"


def _value(spec: Promotion, measured: Measured) -> float:
    if spec.metric not in measured.metrics:
        raise ObjectiveError(
            f"evaluate gave {', '.join(measured.metrics) or 'nothing'} and not {spec.metric!r}, which decides; "
            "return it, or name another metric"
        )
    return measured.metrics[spec.metric]


def _announce(spec: Promotion, verdict: Verdict, registry: Registry, champion: ModelRef | None) -> None:
    metrics = {f"test.{name}": value for name, value in verdict.candidate.metrics.items()}
    for other in (*verdict.baselines, *([verdict.champion] if verdict.champion else [])):
        metrics |= {f"{other.name}.{name}": value for name, value in other.metrics.items()}
    registry.annotate(verdict.model, metrics, {TAG_VERDICT: verdict.alias, TAG_VERDICT_WHY: verdict.reason})
    now = registry.alias(spec.model, ALIAS_CHAMPION)
    if now != champion:
        # The comparison was with another model than the one that would be replaced.
        raise RegistryError(
            f"the champion of {spec.model} moved from {champion or 'nothing'} to {now or 'nothing'} during the "
            f"comparison, so {verdict.model} got no alias; register again"
        )
    registry.set_alias(spec.model, verdict.alias, verdict.model.version)


class _Clock:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


@contextmanager
def _by_user(what: str) -> Iterator[None]:
    """Names the user's function whose code raised."""
    try:
        yield
    except SparkmlError:
        raise
    except Exception as error:
        raise ObjectiveError(f"{what} raised {type(error).__name__}: {error!s:.500}") from error
