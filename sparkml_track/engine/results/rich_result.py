"""A sweep's result as a notebook shows it: counts, the best trial, the first ten, pictures. No script, all escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sparkml_track.engine.results.plotting import front_of, plot_trials
from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.plots import History, Importances, Plotted, picture
from sparkml_track.readable import number, short_text
from sparkml_track.space import flatten

__all__ = ["Shown", "html_of"]

_FAINT = "opacity:.7"
_CELL = "text-align:left"
#: Some pages take the padding of cells away.
_TABLE = "border-collapse:separate;border-spacing:12px 2px;margin-left:-12px"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a result.

    Attributes:
        sweep: its id.
        run: of the parent run.
        counted: trials by state, in words.
        best: None where there is none, or a front instead.
        first: the best trials, or the front.
        trials: every one.
        goals: the objectives.
        report: the HTML report, if it was written.
    """

    sweep: str
    run: str
    counted: str
    best: Result | None
    first: Sequence[Result]
    trials: Sequence[Result]
    goals: Sequence[Goal]
    report: Path


def html_of(shown: Shown) -> str:
    """The page's piece."""
    metrics = ", ".join(goal.metric for goal in shown.goals)
    head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in ("trial", "state", metrics, "params"))
    rows = "".join(map(_row, shown.first))
    more = len(shown.trials) - len(shown.first)
    rest = f'<p style="{_FAINT}">and {more:,} more: .to_pandas(), .plot</p>' if more > 0 else ""
    pictures = "".join(f'<div style="min-width:280px">{picture(each)}</div>' for each in _plots(shown))
    return (
        f'<div class="sparkml-result"><p><b>{escape(shown.sweep)}</b>: {escape(shown.counted)}; run {escape(shown.run)}'
        f"{_report(shown.report)}</p>{_best(shown)}"
        f'<div style="display:flex;flex-wrap:wrap;gap:12px">{pictures}</div>'
        f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{rest}</div>'
    )


def _plots(shown: Shown) -> Iterator[Plotted]:
    if len(shown.goals) > 1:
        yield front_of(shown.trials, shown.goals, (0, 1))
        return
    goal = shown.goals[0]
    trials = plot_trials(shown.trials, 0, goal.metric)
    yield History().draw(trials, goal)
    yield Importances().draw(trials, goal)


def _report(report: Path) -> str:
    return f"; report {escape(str(report))}" if report.is_file() else ""


def _best(shown: Shown) -> str:
    if shown.best is None or shown.best.value is None:
        return ""
    value = f"{escape(shown.goals[0].metric)} <b>{number(shown.best.value[0])}</b>"
    return f"<p>best: {value} by trial {shown.best.number} with {escape(_params(shown.best.params))}</p>"


def _row(trial: Result) -> str:
    value = ", ".join(f"{each:.6g}" for each in trial.value or ())
    cells = (str(trial.number), trial.state.value, value, _params(trial.params))
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _params(params: Mapping[str, object]) -> str:
    return short_text(", ".join(f"{name}={each!r}" for name, each in flatten(params).items()), 300)
