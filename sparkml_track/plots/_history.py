"""Values in the order of the trials, with the best so far."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plot, Plotted, PlotTrial
from sparkml_track.plots._figure import BLUE, COLOURS, fragment, label, layout, sampled, sentence, valued
from sparkml_track.trial import State

__all__ = ["History"]

_MOST = 4000


class History(Plot):
    """One dot for each trial that has a value; a step line for the best finished one so far."""

    @override
    def draw(self, trials: Sequence[PlotTrial], goal: Goal) -> Plotted:
        title = "Optimisation history"
        finished = valued(trials)
        if not finished:
            return Plotted(title, "", sentence(f"No trial finished with a value for {goal.metric}."))
        better = "higher" if goal.maximize else "lower"
        pruned = [one for one in trials if one.state is State.PRUNED and one.value is not None]
        shown = sampled(finished, _MOST, goal)
        caption = f"Each dot is a trial, {better} is better; the line is the best so far."
        if len(shown) < len(finished):
            caption += f" {len(shown):,} of {len(finished):,} finished trials are drawn."
        data = [_dots("finished", shown, State.FINISHED), _best(finished, goal)]
        if pruned:
            data.insert(1, _dots("pruned (last report)", sampled(pruned, _MOST // 4, goal), State.PRUNED))
        page = layout(xaxis={"title": {"text": "trial"}}, yaxis={"title": {"text": label(goal.metric)}})
        return Plotted(title, caption, fragment("history", data, page))


def _dots(name: str, trials: Sequence[PlotTrial], state: State) -> dict[str, object]:
    return {
        "type": "scattergl" if len(trials) > 1000 else "scatter",
        "mode": "markers",
        "name": name,
        "x": [one.number for one in trials],
        "y": [one.value for one in trials],
        "text": [_hover(one) for one in trials],
        "hovertemplate": "trial %{x}: <b>%{y:.6g}</b><br>%{text}<extra></extra>",
        "marker": {"color": COLOURS[state], "size": 7 if len(trials) < 500 else 4, "opacity": 0.7},
    }


def _best(finished: Sequence[PlotTrial], goal: Goal) -> dict[str, object]:
    best: PlotTrial | None = None
    steps: list[PlotTrial] = []
    for one in finished:
        if best is None or goal.better(one.value or 0.0, best.value or 0.0):
            best = one
            steps.append(one)
    assert best is not None
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far",
        "x": [one.number for one in steps] + [finished[-1].number],
        "y": [one.value for one in steps] + [best.value],
        "line": {"shape": "hv", "color": BLUE, "width": 2},
        "hovertemplate": "best from trial %{x}: %{y:.6g}<extra></extra>",
    }


def _hover(trial: PlotTrial) -> str:
    lines = [f"{label(name, 40)} = {label(value, 40)}" for name, value in list(trial.params.items())[:12]]
    return "<br>".join([*lines, f"{trial.duration:.3g} s"])
