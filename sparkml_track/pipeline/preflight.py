"""Checks what a config file names before anything starts: functions that import, an objective that can be called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from sparkml_track import objective as objectives
from sparkml_track import pruners, samplers
from sparkml_track.config.settings import Settings
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.errors import ConfigError, InvalidInput
from sparkml_track.executors import Resources
from sparkml_track.space import parse

__all__ = ["preflight", "sweep_arguments"]

_FUNCTIONS = {
    "prepare": ("tables",),
    "features": ("build",),
    "sweep": ("objective",),
    "register": ("refit", "baselines", "inputs", "evaluate"),
    "deploy": (),
    "score": (),
    "monitor": (),
}


def preflight(settings: Settings, steps: Sequence[str]) -> None:
    """Imports and checks what these steps will use.

    Raises:
        ConfigError: one sentence for each problem, with file, line and key.
    """
    found = [*_functions(settings, steps), *(_sweep(settings) if "sweep" in steps else ())]
    if found:
        raise ConfigError(*found)


def _functions(settings: Settings, steps: Sequence[str]) -> Iterator[str]:
    for step in steps:
        for name in _FUNCTIONS[step]:
            path = getattr(getattr(settings, step), name)
            yield from _problems_of(settings, f"{step}.{name}", partial(objectives.resolve, path, settings.code))


def _sweep(settings: Settings) -> Iterator[str]:
    sweep = settings.sweep
    try:
        function = objectives.resolve(sweep.objective, settings.code)
    except InvalidInput:  # reported with the other functions
        return
    problems = objectives.problems(function)
    yield from (f"{settings.at('sweep.objective')}: {problem}" for problem in problems)
    given = sweep_arguments(settings, None if problems else function)
    made = partial(samplers.build, sweep.sampler, parse(sweep.space), seed=0, objectives=len(_listed(sweep.metric)))
    found = list(_problems_of(settings, "sweep.sampler", made))
    found += _problems_of(settings, "sweep.pruner", partial(pruners.build, sweep.pruner, seed=0))
    yield from found
    if not (found or problems):
        yield from _problems_of(settings, "sweep", partial(check, given))


def sweep_arguments(settings: Settings, function: object, data: Mapping[str, object] | None = None) -> SweepArguments:
    """The arguments of ``sweep()`` that a file stands for.

    Args:
        settings: as read.
        function: the objective.
        data: for it, by name.
    """
    section, tracking = settings.sweep, settings.tracking
    apart = {"objective", "space", "resources", "failures", "name"}
    return SweepArguments(
        objective=function,
        space=parse(section.space),
        name=section.name or settings.name,
        experiment=tracking.experiment or settings.name,
        data=data,
        resources=Resources(**section.resources.model_dump()),
        failures=Failures(**section.failures.model_dump()),
        tracking=Tracking(**tracking.model_dump(exclude={"experiment"})),
        **section.model_dump(exclude=apart),
    )


def _listed(metric: str | Sequence[str]) -> Sequence[str]:
    return (metric,) if isinstance(metric, str) else metric


def _problems_of(settings: Settings, key: str, check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except InvalidInput as error:
        yield from (f"{settings.at(key)}: {problem}" for problem in error.problems)
