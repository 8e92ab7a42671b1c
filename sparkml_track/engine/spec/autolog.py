"""What MLflow is to log by itself in trials, checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sparkml_track.slot.autolog import FLAVORS

__all__ = ["autolog_flavors"]

_ALLOWED = f"allowed are True, False, names and mappings of names to options, of {', '.join(FLAVORS)}"
#: Where no process of its own executes a trial, MLflow would log for all of them into one run.
_SHARED = ("driver", "inline")


def autolog_flavors(given: object, executor: str) -> tuple[dict[str, Mapping[str, object]], list[str]]:
    """Options by flavor, and what is wrong.

    Args:
        given: as in ``sweep``.
        executor: the sweep's.
    """
    if given is None or given is False:
        return {}, []
    if executor in _SHARED:
        return {}, [
            f"autolog needs trials in processes of their own, which executor {executor!r} has not; leave it out"
        ]
    if given is True:
        return {name: {} for name in FLAVORS}, []
    if isinstance(given, str) or not isinstance(given, Mapping | list | tuple):
        return {}, [f"autolog is {given!r}; {_ALLOWED}"]
    flavors = dict(given) if isinstance(given, Mapping) else {name: {} for name in given}
    return flavors, [problem for name, options in flavors.items() for problem in _problems(name, options)]


def _problems(name: object, options: object) -> Iterator[str]:
    if name not in FLAVORS:
        yield f"autolog names {name!r}; {_ALLOWED}"
        return
    try:
        fine = isinstance(options, Mapping) and json.loads(json.dumps(options)) == options
    except (TypeError, ValueError):
        fine = False
    if not fine:
        yield f"autolog.{name} is {options!r}; allowed is a mapping of option names to plain values"
    elif "registered_model_name" in options:  # type: ignore[operator]
        yield f"autolog.{name} has registered_model_name; a trial registers nothing: register the best after the sweep"
