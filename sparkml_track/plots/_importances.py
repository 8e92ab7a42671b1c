"""How much each parameter matters for the value, by Optuna."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from typing_extensions import override

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plot, Plotted, PlotTrial, PlotTrials
from sparkml_track.plots._figure import BLUE, fragment, label, layout, sampled, sentence, valued
from sparkml_track.readable import told_apart

__all__ = ["FEWEST", "Importances", "importances", "load", "shares_of"]

#: Fewer trials have no importances.
FEWEST = 5

_MOST_TRIALS, _MOST_PARAMS = 2000, 20
_NOT_SET = "(not set)"
#: Of the forest that importances are read from; more cost more than they show.
_TREES = 24


class Importances(Plot):
    """Bars by Optuna's mean decrease of impurity over a random forest (Breiman 2001).

    Its fANOVA says much the same, but takes 5 s at 500 trials and 55 s at 2,000 where this takes 0.25 s. A parameter
    that only some trials have is set to its median in the others, so that its bar shows what it does where it is used.
    """

    @override
    def draw(self, trials: Sequence[PlotTrial], goal: Goal) -> Plotted:
        title = "Parameter importances"
        finished = valued(trials)
        if len(finished) < FEWEST:
            return Plotted(
                title, "", sentence(f"At least {FEWEST} finished trials are needed; there are {len(finished)}.")
            )
        found = shares_of(trials, goal)
        if not found:
            return Plotted(title, "", sentence("All trials had the same parameters, or the same value."))
        top = list(found.items())[:_MOST_PARAMS][::-1]
        bars = {
            "type": "bar",
            "orientation": "h",
            "x": [share for _, share in top],
            "y": told_apart(label(name) for name, _ in top),
            "text": [f"{share:.2f}" if share >= 0.005 else "< 0.01" for _, share in top],
            "textposition": "outside",
            "cliponaxis": False,
            "marker": {"color": BLUE},
            "hoverinfo": "skip",
        }
        page = layout(
            xaxis={"title": {"text": f"share of the variation of {label(goal.metric)}"}, "rangemode": "tozero"},
            yaxis={"type": "category", "showgrid": False},
            bargap=0.35,
        )
        caption = "How much of the differences between trials each parameter explains; the bars add up to 1."
        return Plotted(title, caption, fragment("importances", [bars], page, height=110 + 34 * len(top)))


def load() -> None:
    """Imports what importances are found out by, which takes a second; for who has the time."""
    with suppress(ImportError):
        import sklearn.ensemble  # noqa: F401


def shares_of(trials: Sequence[PlotTrial], goal: Goal) -> dict[str, float]:
    """The same of all trials of a sweep; found out once for plots that are given the same ``PlotTrials``."""
    known = trials.found if isinstance(trials, PlotTrials) else {}
    shares = known.get("importances")
    if not isinstance(shares, dict):
        finished = sampled(valued(trials), _MOST_TRIALS, goal)
        shares = known["importances"] = importances(finished) if len(finished) >= FEWEST else {}
    return shares


def importances(trials: Sequence[PlotTrial]) -> dict[str, float]:
    """The share of each parameter, largest first; empty where nothing varies.

    Args:
        trials: finished, with finite values.
    """
    columns = {name: _column(name, trials) for name in dict.fromkeys(name for one in trials for name in one.params)}
    columns = {name: column for name, column in columns.items() if len(set(column)) > 1}
    values = [one.value for one in trials if one.value is not None]
    if not columns or min(values) == max(values):
        return {}
    if len(columns) == 1:
        return dict.fromkeys(columns, 1.0)
    return _by_optuna(columns, values)


def _by_optuna(columns: dict[str, list[float] | list[str]], values: list[float]) -> dict[str, float]:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
    from optuna.importance import MeanDecreaseImpurityImportanceEvaluator, get_param_importances

    space: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(sorted(set(column)))
        if isinstance(column[0], str)
        else FloatDistribution(float(min(column)), float(max(column)))
        for name, column in columns.items()
    }
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    with _quiet():
        study = optuna.create_study()
        for params, value in zip(rows, values, strict=True):
            study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=value))
        found = get_param_importances(study, evaluator=MeanDecreaseImpurityImportanceEvaluator(n_trees=_TREES, seed=0))
    shares = {name: float(share) for name, share in found.items() if math.isfinite(share)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says on the terminal that it made a study; its level is put back."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _column(name: str, trials: Sequence[PlotTrial]) -> list[float] | list[str]:
    """One parameter over all trials: numbers, on a log scale where they span it, or text."""
    given = [one.params[name] for one in trials if name in one.params]
    numbers = [float(value) for value in given if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(given) or not all(map(math.isfinite, numbers)):
        return [f"{one.params[name]!r}" if name in one.params else _NOT_SET for one in trials]
    if min(numbers) > 0 and max(numbers) / min(numbers) >= 50:
        numbers = [math.log10(number) for number in numbers]
    rest, usual = iter(numbers), statistics.median(numbers)
    return [next(rest) if name in one.params else usual for one in trials]
