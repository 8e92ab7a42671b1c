"""Sweeps and trials side by side: curves, values, params, costs; what differs is marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkml_track.dashboards.blocks import Markup, empty, note, section, table
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.runs.overview import overview
from sparkml_track.dashboards.runs.reading import seen
from sparkml_track.dashboards.runs.seen import STATES, Seen
from sparkml_track.errors import SparkmlError
from sparkml_track.goal import Goal
from sparkml_track.plots import (
    ComparedSweep,
    draw_best_so_far,
    draw_distributions,
    params_side_by_side,
    plotly_figure,
)
from sparkml_track.readable import duration, number, short_text

__all__ = ["Compared", "asked_sweeps", "compare", "compare_figures", "compare_tables", "metrics_of", "of_seen"]

_SPEC = ("objective", "sampler", "pruner", "max_trials", "parallelism", "executor", "seed", "warm_start", "space")


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared.

    Attributes:
        sweeps: that could be read, in the order that was asked for.
        trials: sweep and row of chosen trials.
        problems: what could not be read, in sentences.
    """

    sweeps: Sequence[Seen] = ()
    trials: Sequence[tuple[Seen, int]] = ()
    problems: Sequence[str] = field(default=())


def asked_sweeps(page: Page) -> tuple[list[str], list[str]]:
    """All sweeps of the home, and those of the query among them; without a query the two last written."""
    known = [row.sweep for row in overview(page)]
    asked = [each for each in page.query.get("sweeps", "").split(",") if each in known]
    return known, list(dict.fromkeys(asked)) or known[:2]


def compare(page: Page, sweeps: Sequence[str], trials: str = "") -> Compared:
    """Reads what is compared.

    Args:
        page: whose home.
        sweeps: ids.
        trials: chosen ones as text: ``SWEEP:7, SWEEP:9``; of a single sweep the number alone.
    """
    found: dict[str, Seen] = {}
    problems: list[str] = []
    for sweep in sweeps:
        try:
            found[sweep] = seen(page, sweep)
        except SparkmlError as error:
            problems.append(f"{sweep}: {error}")
    chosen = [_chosen(page, found, each.strip()) for each in trials.split(",") if each.strip()]
    problems += [each for each in chosen if isinstance(each, str)]
    return Compared(tuple(found.values()), [each for each in chosen if not isinstance(each, str)], problems)


def _chosen(page: Page, found: Mapping[str, Seen], text: str) -> tuple[Seen, int] | str:
    sweep, _, trial = text.rpartition(":")
    sweep = sweep.strip() or next(iter(found), "")
    try:
        of = found[sweep] if sweep in found else seen(page, sweep)
    except SparkmlError as error:
        return str(error)
    row = of.row_of(int(trial)) if trial.strip().isdecimal() and len(trial) < 18 else None
    return f"There is no trial {trial!r} in {sweep}; write SWEEP:NUMBER." if row is None else (of, row)


def metrics_of(sweeps: Sequence[Seen]) -> list[str]:
    """Metrics of objectives, those that most sweeps have first."""
    names = [goal.metric for one in sweeps for goal in one.goals if one.plan is not None]
    return sorted(dict.fromkeys(names), key=lambda name: -names.count(name))


def of_seen(one: Seen, goal: Goal) -> ComparedSweep:
    """As the plots take it."""
    import numpy as np

    order = one.order[np.argsort(one.ends, kind="stable")]
    ends, first = (one.started + one.duration)[order], _first(one)
    finished = np.zeros(len(one.states), dtype=bool)
    finished[one.finished(goal)] = True
    loss = np.where(finished[order], goal.loss(1.0) * one.values(goal)[order], math.inf)
    before = np.minimum.accumulate(np.concatenate(([math.inf], loss)))[:-1] if len(loss) else loss
    places = np.flatnonzero(loss < before)
    stairs = [(int(p) + 1, float(ends[p] - first), float(one.values(goal)[order[p]])) for p in places]
    if stairs:
        stairs.append((len(order), float(np.nanmax(ends)) - first, stairs[-1][2]))
    best = one.best(goal)
    chosen = None if best is None else (int(one.numbers[best]), one.params_of(best))
    return ComparedSweep(one.sweep, goal, stairs, one.values(goal)[one.finished(goal)].tolist(), chosen)


def _first(one: Seen) -> float:
    begun = one.started[one.started > 0]
    return float(begun.min()) if len(begun) else 0.0


def compare_figures(made: Compared, metric: str | None) -> Sequence[object]:
    """The best so far over trials and over time, and the values."""
    pairs = [(one, goal) for one in made.sweeps for goal in one.goals if goal.metric == metric]
    said: list[object] = [note(each, "bad") for each in made.problems]
    without = [one.sweep for one in made.sweeps if metric not in [goal.metric for goal in one.goals]]
    if without:
        said.append(note(f"{', '.join(without)}: {metric} is not an objective there, so no curve is drawn.", "warn"))
    if len({goal for _, goal in pairs}) > 1:
        said.append(note(f"Some of these sweeps minimize {metric}, others maximize it.", "warn"))
    if not pairs:
        return said or [note("No sweep is chosen.")]
    shown = [of_seen(one, goal) for one, goal in pairs]
    for drawn in (draw_best_so_far(shown, "trials"), draw_best_so_far(shown, "time"), draw_distributions(shown)):
        figure: Any = plotly_figure(drawn)
        below = {"orientation": "h", "x": 0, "y": -0.25, "yanchor": "top"}
        figure.update_layout(title=None, margin={"t": 40}, legend=below)
        said.append([section(drawn.title, about=drawn.caption), figure])
    return said


def compare_tables(page: Page, made: Compared, metric: str | None) -> Sequence[Markup]:
    """Params of the bests and of chosen trials, then the sweeps as a whole; what differs is marked and comes first."""
    if not made.sweeps:
        return (empty(f"There is no sweep in {page.home.place} to compare.", "sparkml-track run CONFIG"),)
    return (_params(page, made, metric), _whole(page, made), _specs(page, made))


def _params(page: Page, made: Compared, metric: str | None) -> Markup:
    found: list[tuple[Seen, int, str]] = []
    for one in made.sweeps:
        goal = next((goal for goal in one.goals if goal.metric == metric), one.goals[0])
        row = one.best(goal)
        found += [(one, row, "best")] if row is not None else []
    found += [(one, row, "chosen") for one, row in made.trials]
    if not found:
        return section("Params of the bests", note("No trial of these sweeps finished with a value."))
    heads = [_head(page, *each) for each in found]
    outcome = [_outcome(one, row, metric) for one, row, _ in found]
    rows: list[Sequence[object]] = [(name, *(each.get(name, "") for each in outcome)) for name in outcome[0]]
    rows += _marked(params_side_by_side([one.params_of(row) for one, row, _ in found]))
    return section("Params of the bests", table(["", *heads], rows), about="What differs is marked, and comes first.")


def _head(page: Page, one: Seen, row: int, why: str) -> Markup:
    trial = int(one.numbers[row])
    return Markup("{} {}, {}").format(
        page.link(f"trial {trial}", "sweep", sweep=one.sweep, trial=trial), why, one.sweep
    )


def _outcome(one: Seen, row: int, metric: str | None) -> dict[str, str]:
    metrics = one.metrics_of(row)
    found = {str(metric): number(metrics[metric]) if metric in metrics else ""} if metric else {}
    return {"state": STATES[one.states[row]].value, **found, "took": duration(float(one.duration[row]))}


def _whole(page: Page, made: Compared) -> Markup:
    heads = ["", *(page.link(one.sweep, "sweep", sweep=one.sweep) for one in made.sweeps)]
    found = [_numbers(one) for one in made.sweeps]
    rows = [(name, *texts) for name in found[0] if any(texts := [each[name] for each in found])]
    return section("Counts and costs", table(heads, rows))


def _numbers(one: Seen) -> dict[str, str]:
    counts, costs = one.counts, one.costs
    per_trial = costs.used / one.over if one.over else 0.0
    return {
        "planned": f"{counts.planned:,}" if one.limited else "",
        "finished": f"{counts.finished:,}",
        "pruned": f"{counts.pruned:,}",
        "failed or killed": f"{counts.failed + counts.killed:,}",
        "from first start to last end": duration(costs.wall),
        "slot time used": duration(costs.used),
        "of it wasted": duration(costs.wasted),
        "slot time for a trial": f"{per_trial:.3g} s",
        "idle": "" if costs.idle is None else duration(costs.idle),
        "processor time": "" if costs.cpu is None else duration(costs.cpu),
        "attempts lost": str(costs.lost),
        "cost": "" if costs.cost is None else number(costs.cost),
    }


def _specs(page: Page, made: Compared) -> Markup:
    heads = ["", *(page.link(one.sweep, "sweep", sweep=one.sweep) for one in made.sweeps)]
    specs = [{name: one.described.get(name) for name in _SPEC if name in one.described} for one in made.sweeps]
    found = params_side_by_side([{name: each for name, each in spec.items() if each is not None} for spec in specs])
    rows = _marked([(name, [short_text(text, 300) for text in texts], differs) for name, texts, differs in found])
    return section("How they were set up", table(heads, rows, tuple(range(1, len(heads)))))


def _marked(rows: Sequence[tuple[str, Sequence[str], bool]]) -> list[Sequence[object]]:
    one = Markup('<mark class="sk-differs">{}</mark>')
    return [(name, *(one.format(text) if differs else text for text in texts)) for name, texts, differs in rows]
