"""Checks what a config file names before anything starts: functions that import, an objective that can be called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sparkml_track import objective as objectives
from sparkml_track import samplers
from sparkml_track.errors import ConfigError, InvalidInput
from sparkml_track.settings import Settings
from sparkml_track.space import parse

__all__ = ["preflight"]

_FUNCTIONS = {
    "prepare": ("tables",),
    "features": ("build",),
    "sweep": ("objective",),
    "register": ("refit", "baselines", "inputs", "evaluate"),
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
            yield from _told(settings, f"{step}.{name}", partial(objectives.resolve, path, settings.code))


def _sweep(settings: Settings) -> Iterator[str]:
    sweep = settings.sweep
    try:
        function = objectives.resolve(sweep.objective, settings.code)
    except InvalidInput:  # told with the other functions
        return
    yield from (f"{settings.at('sweep.objective')}: {problem}" for problem in objectives.problems(function))
    yield from _told(
        settings,
        "sweep.sampler",
        lambda: samplers.build(sweep.sampler, parse(sweep.space), seed=0),
    )


def _told(settings: Settings, key: str, check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except InvalidInput as error:
        yield from (f"{settings.at(key)}: {problem}" for problem in error.problems)
