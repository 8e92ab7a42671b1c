"""Two objectives against each other, with the front that no trial beats."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plotted, PlotTrial
from sparkml_track.plots._figure import BLUE, GREY, fragment, label, layout, sampled, sentence

__all__ = ["draw_pareto"]

_MOST = 3000
_COLOUR = "#c0392b"


def draw_pareto(pairs: Sequence[tuple[PlotTrial, float]], goals: tuple[Goal, Goal], front: Collection[int]) -> Plotted:
    """A dot for each finished trial, and a line through those that none beats in both.

    Args:
        pairs: finished trials with two finite values: that of the first objective in the trial, then that of the
            second.
        goals: the two objectives.
        front: numbers of the trials that no other one beats in these two.
    """
    title = f"Pareto front: {goals[0].metric} and {goals[1].metric}"
    if not pairs:
        return Plotted(title, "", sentence("No trial finished with a finite value for both."))
    best = sorted((pair for pair in pairs if pair[0].number in front), key=lambda pair: pair[0].value or 0.0)
    kept = {one.number for one in sampled([one for one, _ in pairs], _MOST, goals[0])}
    others = [pair for pair in pairs if pair[0].number in kept and pair[0].number not in front]
    page = layout(xaxis={"title": {"text": _axis(goals[0])}}, yaxis={"title": {"text": _axis(goals[1])}})
    caption = f"Each dot is a finished trial; no trial beats the {len(best):,} on the line in both."
    if len(others) + len(best) < len(pairs):
        caption += f" {len(others) + len(best):,} of {len(pairs):,} trials are drawn."
    return Plotted(title, caption, fragment("pareto", [_dots(others), _line(best, goals[0])], page))


def _axis(goal: Goal) -> str:
    return f"{label(goal.metric)} ({'higher' if goal.maximize else 'lower'} is better)"


def _dots(pairs: Sequence[tuple[PlotTrial, float]]) -> dict[str, object]:
    return {
        **_places(pairs),
        "type": "scattergl" if len(pairs) > 1000 else "scatter",
        "mode": "markers",
        "name": "beaten by another trial",
        "marker": {"color": GREY, "size": 6 if len(pairs) < 500 else 4, "opacity": 0.6},
    }


def _line(pairs: Sequence[tuple[PlotTrial, float]], across: Goal) -> dict[str, object]:
    """Stairs: what lies on their far side is beaten, so that the line never goes through what nobody reached."""
    return {
        **_places(pairs),
        "type": "scatter",
        "mode": "lines+markers",
        "name": "Pareto front",
        "line": {"shape": "vh" if across.maximize else "hv", "color": BLUE, "width": 2},
        "marker": {"color": _COLOUR, "size": 8},
    }


def _places(pairs: Sequence[tuple[PlotTrial, float]]) -> dict[str, object]:
    return {
        "x": [one.value for one, _ in pairs],
        "y": [second for _, second in pairs],
        "text": [_hover(one) for one, _ in pairs],
        "hovertemplate": "<b>%{x:.6g}, %{y:.6g}</b><br>%{text}<extra></extra>",
    }


def _hover(trial: PlotTrial) -> str:
    params = [f"{label(name, 40)} = {label(value, 40)}" for name, value in list(trial.params.items())[:8]]
    return "<br>".join([f"trial {trial.number}", *params])
