"""Refit, register, measure, decide, move the alias."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import DataError, ObjectiveError, RegistryError, SparkmlError
from sparkml_track.promotion._card import lasting_card_of
from sparkml_track.promotion._race import Race
from sparkml_track.promotion._spec import Measured, Promotion, Recipe, Verdict
from sparkml_track.refs import ModelRef
from sparkml_track.registries import ALIAS_CHAMPION, Package, Registry, Run
from sparkml_track.schema import TAG_DECIDED_BY, TAG_SEED, TAG_SWEEP, TAG_SWEEP_RUN, TAG_VERDICT
from sparkml_track.space.tree import flatten

__all__ = ["register"]

_SPLITS = ("train", "valid", "test")


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
        RegistryError: the registry failed, or the champion kept moving; a version may be there, without an alias.
    """
    _check(data)
    known, champion = registry.tagged(spec.model, TAG_VERDICT), registry.alias(spec.model, ALIAS_CHAMPION)
    clock, test = _Clock(), data["test"]
    with clock.step("refit"), _by_user("refit"):
        model = recipe.refit(spec.params, data, spec.seed)
    with clock.step("register"):
        ref = registry.register(spec.model, _package(model, recipe, test, spec.carried), _run(spec))
    with clock.step("compare"):
        candidate = _measure("candidate", registry.load(ref), recipe, test, ref)
        baselines = _baselines(spec, recipe, data)
        again = cache(lambda other: _again(other, registry, recipe, test))
        settled = Race(spec, registry, again, candidate, baselines, known).run(champion)
    # MLflow's UI shows it beside the version.
    registry.describe(ref, lasting_card_of(registry, registry.facts(ref)))
    ends = (spec.metric, spec.direction, settled.alias, settled.reason, clock.seconds)
    return Verdict(candidate, settled.champion, baselines, *ends)


def _check(data: Mapping[str, Any]) -> None:
    wrong = [f"{name} is {'empty' if name in data else 'missing'}" for name in _SPLITS if not len(data.get(name, ()))]
    if wrong:
        raise DataError(f"a model is registered from {', '.join(_SPLITS)} with rows in each: {', '.join(wrong)}")


def _package(model: Any, recipe: Recipe, test: Any, carried: CarriedFeatures | None) -> Package:
    with _by_user("inputs"):
        sample = recipe.inputs(test.slice(0, 5))
        own = None if carried is None else carried.of_model(list(sample.columns))
    return Package(model, sample, recipe.method, carried=own, flavor=recipe.flavor)


def _run(spec: Promotion) -> Run:
    # Params are the model's own: whatever they are called, nothing of ours is among them.
    tags = {TAG_SWEEP: spec.sweep, TAG_SWEEP_RUN: spec.sweep_run, TAG_DECIDED_BY: spec.metric, TAG_SEED: str(spec.seed)}
    return Run(
        kind="model",
        name=f"{spec.model} of {spec.sweep}" if spec.sweep else spec.model,
        experiment=spec.experiment,
        params=flatten(spec.params),
        tags={key: value for key, value in tags.items() if value},
        data=spec.data,
        started=time.time(),
    )


def _baselines(spec: Promotion, recipe: Recipe, data: Mapping[str, Any]) -> tuple[Measured, ...]:
    with _by_user("baselines"):
        fitted = recipe.baselines(data, spec.seed)
    if not fitted:
        raise ObjectiveError("baselines gave no model; give at least one that a candidate must beat")
    return tuple(_measure(str(name), model, recipe, data["test"]) for name, model in fitted.items())


def _again(champion: ModelRef, registry: Registry, recipe: Recipe, test: Any) -> Measured:
    """The champion on the data of today, whatever it was once measured on."""
    try:
        return _measure("champion", registry.load(champion), recipe, test, champion)
    except (ObjectiveError, RegistryError) as error:
        raise DataError(
            f"the champion {champion} cannot be measured on the test data, so nothing can be compared: {error}. "
            f"Its inputs may have been other columns. Remove the alias {ALIAS_CHAMPION!r} to start anew."
        ) from error


def _measure(name: str, model: Any, recipe: Recipe, test: Any, ref: ModelRef | None = None) -> Measured:
    with _by_user(f"evaluate of {ref or name}"):
        return Measured(name, {key: float(value) for key, value in recipe.evaluate(model, test).items()}, ref)


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
