"""Parameters side by side, one line for each trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

from typing_extensions import override

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plot, Plotted, PlotTrial
from sparkml_track.plots._figure import fragment, label, layout, sampled, sentence, valued

__all__ = ["ParallelCoordinates"]

_MOST_TRIALS, _MOST_PARAMS, _MOST_CHOICES = 2000, 12, 20
_TICK = 18
_NOT_SET = "not set"


class ParallelCoordinates(Plot):
    """An axis for each parameter that varies; parameters of other options lie at "not set", below the axis."""

    @override
    def draw(self, trials: Sequence[PlotTrial], goal: Goal) -> Plotted:
        title = "Parallel coordinates"
        finished = valued(trials)
        names = _varying(finished)
        if len(finished) < 2 or not names:
            return Plotted(title, "", sentence("At least two finished trials with different parameters are needed."))
        shown = sampled(finished, _MOST_TRIALS, goal)
        axes = [_axis(name, [one.params.get(name, _Missing) for one in shown]) for name in names[:_MOST_PARAMS]]
        values = [one.value for one in shown]
        low, high = _middle([value for value in values if value is not None], goal)
        line = {
            "color": values,
            "cmin": low,
            "cmax": high,
            # Dark is better, whichever way that is.
            "colorscale": [[0, "#0b3d91"], [0.5, "#6fa8dc"], [1, "#e3e8ee"]],
            "reversescale": goal.maximize,
            "showscale": False,  # the last axis says it
        }
        axes.append({"label": label(goal.metric, 24), "values": values})
        trace = {"type": "parcoords", "line": line, "dimensions": axes, "labelangle": -18, "labelside": "top"}
        trace["customdata"] = [one.number for one in shown]
        caption = "Each line is a trial, dark is better. Drag along an axis to select, drag its name to move it."
        if len(names) > _MOST_PARAMS:
            caption += f" {_MOST_PARAMS} of {len(names)} parameters are drawn."
        if len(shown) < len(finished):
            caption += f" {len(shown):,} of {len(finished):,} finished trials are drawn."
        page = layout(margin={"l": 90, "r": 40, "t": 90, "b": 30})
        return Plotted(title, caption, fragment("parallel", [trace], page, height=480))


class _Missing:
    """Stands for a parameter that a trial does not have."""


def _varying(trials: Sequence[PlotTrial]) -> list[str]:
    """Names of parameters with more than one value, "not set" being one; those that most trials have come first."""
    counts: dict[str, int] = {}
    for one in trials:
        for name in one.params:
            counts[name] = counts.get(name, 0) + 1
    varying = [
        name
        for name, count in counts.items()
        if count < len(trials) or len({repr(one.params[name]) for one in trials}) > 1
    ]
    return sorted(varying, key=lambda name: -counts[name])


def _axis(name: str, values: Sequence[object]) -> dict[str, object]:
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    plain = [value for value in values if value is not _Missing]
    if len(numbers) == len(plain) and all(map(math.isfinite, numbers)) and len(set(numbers)) > 2:
        return {"label": label(name, 24), **_numeric(values, numbers)}
    return {"label": label(name, 24), **_choices(values)}


def _numeric(values: Sequence[object], numbers: Sequence[float]) -> dict[str, object]:
    low, high = min(numbers), max(numbers)
    log = low > 0 and high / low >= 50
    if not log and len(numbers) == len(values):
        return {"values": numbers}
    first, last = (math.log10(low), math.log10(high)) if log else (low, high)
    missing = first - 0.12 * (last - first)
    ticks = _ticks(first, last, whole=not log and all(number.is_integer() for number in numbers))
    texts = [f"{10**tick:.3g}" if log else f"{tick:.6g}" for tick in ticks]
    scaled = [_place(value, log, missing) for value in values]
    if len(numbers) < len(values):
        ticks, texts = [missing, *ticks], [_NOT_SET, *texts]
    return {"values": scaled, "tickvals": ticks, "ticktext": texts, "range": [ticks[0], last]}


def _ticks(first: float, last: float, whole: bool) -> list[float]:
    even = [first + (last - first) * step / 4 for step in range(5)]
    return sorted({float(round(tick)) for tick in even}) if whole else even


def _place(value: object, log: bool, missing: float) -> float:
    if not isinstance(value, int | float):
        return missing
    return math.log10(value) if log else float(value)


def _choices(values: Sequence[object]) -> dict[str, object]:
    texts = [_NOT_SET if value is _Missing else _short(value) for value in values]
    seen = sorted(set(texts), key=lambda text: (text != _NOT_SET, text))
    if len(seen) > _MOST_CHOICES:
        common = sorted(seen, key=lambda text: -texts.count(text))[: _MOST_CHOICES - 1]
        seen = [*sorted(common), "others"]
    places = {text: place for place, text in enumerate(seen)}
    last = len(seen) - 1
    return {
        "values": [places.get(text, last) for text in texts],
        "tickvals": list(range(len(seen))),
        "ticktext": seen,
        "range": [-0.2, last + 0.2],
    }


def _short(value: object) -> str:
    # Ticks of this figure are drawn as they are; there is no HTML in them to escape.
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _TICK else text[: _TICK - 1] + "…"


def _middle(values: Sequence[float], goal: Goal) -> tuple[float, float]:
    """The range of colours: from the best to the third quarter, so that a few bad trials do not take it all."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    low, high = (ordered[quarter], ordered[-1]) if goal.maximize else (ordered[0], ordered[-1 - quarter])
    return (low, high) if low < high else (ordered[0], ordered[-1])
