"""What a trial of several units is made of: the means over its units, and the metrics of each beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from sparkml_track.engine.records.types import UnitAccepted
from sparkml_track.engine.spec.units import Units
from sparkml_track.trial import Outcome, State, Usage

__all__ = ["failed_units", "in_order", "means", "outcome_of_units"]

Each = TypeVar("Each")


def in_order(by_unit: Mapping[int, Sequence[Each]]) -> Sequence[Each]:
    """What each unit has, unit after unit."""
    if len(by_unit) == 1:
        return next(iter(by_unit.values()))
    return [each for index in sorted(by_unit) for each in by_unit[index]]


def means(units: Units, ended: Mapping[int, UnitAccepted]) -> dict[str, float]:
    """The mean of each metric over the units that ended; a failed one counts as ``units.instead``."""
    values = _values(units, ended)
    names = dict.fromkeys(name for metrics in values.values() for name in metrics)
    return {name: _mean([metrics[name] for metrics in values.values() if name in metrics]) for name in names}


def failed_units(ended: Mapping[int, UnitAccepted]) -> tuple[tuple[int, str], ...]:
    """Index and message of each unit that did not finish."""
    if not ended:
        return ()
    return tuple(
        (index, ended[index].message) for index in sorted(ended) if ended[index].state in {State.FAILED, State.KILLED}
    )


def outcome_of_units(
    units: Units, ended: Mapping[int, UnitAccepted], metric: Sequence[str], end: Outcome | None
) -> Outcome:
    """The outcome of a trial.

    Args:
        units: of the sweep.
        ended: the accepted units, by index.
        metric: what is optimised; its standard deviation over the units is recorded too, as ``METRIC_std``.
        end: how the trial was ended before all of its units had; None if it was not.
    """
    end = end or _end(units, ended)
    begun = [one for one in ended.values() if one.started]
    started = min((one.started for one in begun), default=end.started)
    until = max((one.started + one.duration for one in begun), default=started)
    folders = [one for one in ended.values() if one.artifacts]
    return Outcome(
        state=end.state,
        metrics=_metrics(units, ended, metric),
        reason=end.reason,
        message=end.message,
        log="\n".join(f"unit {index}: {ended[index].log}" for index in sorted(ended) if ended[index].log),
        started=started,
        duration=until - started,
        host=", ".join(dict.fromkeys(one.host for one in ended.values() if one.host)),
        artifacts=folders[0].artifacts if folders else "",
        in_place=bool(folders) and folders[0].in_place,
        usage=Usage.of_all(one.usage for one in ended.values()),
    )


def _end(units: Units, ended: Mapping[int, UnitAccepted]) -> Outcome:
    """Of a trial whose units have all ended."""
    failed = [ended[index] for index in sorted(ended) if ended[index].state is not State.FINISHED]
    if len(failed) == len(ended):
        return Outcome(State.FAILED, reason=failed[0].reason, message=failed[0].message)
    if not failed:
        return Outcome(State.FINISHED)
    said = f"{len(failed)} of {len(ended)} units failed and count as {units.instead}: {failed[0].message}"
    return Outcome(State.FINISHED, message=said[:4096])


def _metrics(units: Units, ended: Mapping[int, UnitAccepted], metric: Sequence[str]) -> dict[str, float]:
    values = _values(units, ended)
    metrics = means(units, ended)
    for name in metric:
        spread = [each[name] for each in values.values() if name in each]
        if len(spread) > 1:
            metrics[f"{name}_std"] = math.sqrt(_mean([(value - metrics[name]) ** 2 for value in spread]))
    return metrics | {units.name(index) + name: value for index in values for name, value in values[index].items()}


def _values(units: Units, ended: Mapping[int, UnitAccepted]) -> dict[int, Mapping[str, float]]:
    finished = {index: one.metrics for index, one in sorted(ended.items()) if one.state is State.FINISHED}
    if units.instead is None or len(finished) == len(ended):
        return finished
    names = dict.fromkeys(name for metrics in finished.values() for name in metrics)
    instead = dict.fromkeys(names, units.instead)
    return {index: finished.get(index, instead) for index in sorted(ended)}


def _mean(values: Sequence[float]) -> float:
    """Of nan and infinity too, which the statistics module refuses."""
    return sum(values) / len(values)
