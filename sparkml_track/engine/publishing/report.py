"""The report of a sweep: one HTML page that needs nothing else, readable offline and as an MLflow artifact."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path

from sparkml_track import pages
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.failures import failures
from sparkml_track.engine.results.plotting import curves_of, front_of, plot_trials
from sparkml_track.engine.results.summary import Result, Summary
from sparkml_track.plots import Plot, Plotted, library, standard
from sparkml_track.readable import clock_time, duration, number, short_text
from sparkml_track.space import flatten
from sparkml_track.trackers import Content, write_content
from sparkml_track.trial import State

__all__ = ["Page", "render", "report", "write_report"]

_log = logging.getLogger(__name__)
_TOP, _PARAMS = 20, 8
#: Objectives whose pairs have a front each.
_OBJECTIVES = 3


@dataclass(frozen=True, slots=True)
class Page:
    """What a report shows.

    Attributes:
        title: the sweep's name.
        summary: of the results.
        results: every trial that ended, by number.
        facts: what else to show at the top, such as sweep id and run id; name to text.
        curves: what some of the trials reported, None if that is not known.
    """

    title: str
    summary: Summary
    results: Sequence[Result]
    facts: Mapping[str, str] = field(default_factory=dict)
    curves: Curves | None = None


def write_report(path: Path, page: Page) -> Content:
    """Writes the report to a file; a reader sees the old page or the new one, never half of one.

    Args:
        path: of the HTML file; its folder is made.
        page: what to show.

    Returns:
        The page.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    text = render(page, standard())
    _save(path, text)
    return text


def report(path: Path, page: Page) -> Content:
    """Writes the report where that can be done: results do not depend on it, so failures are only logged.

    Args:
        path: of the HTML file; its folder is made.
        page: what to show.

    Returns:
        The page, also if the file could not be written; empty if there is none.
    """
    try:
        text = render(page, standard())
    except Exception as error:  # noqa: BLE001 - whatever a plotting library raises
        _log.warning("there will be no report, it could not be drawn (%s: %s)", type(error).__name__, error)
        return ""
    try:
        _save(path, text)
    except OSError as error:
        _log.warning("the report could not be written to %s (%s); results are kept", path, error.strerror or error)
    return text


def _save(path: Path, text: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(".tmp", dir=path.parent)
    os.close(descriptor)
    made = Path(name)
    try:
        write_content(made, text)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    made.chmod(0o644)
    made.replace(path)


def render(page: Page, plots: Sequence[Plot]) -> Content:
    """The page. Whatever comes from the user, an objective or a slot is escaped.

    Args:
        page: what to show.
        plots: drawn for each objective; none leaves out what belongs to all of them, too.
    """
    summary = page.summary
    return pages.render(
        "sweep",
        library() if plots else None,
        title=page.title,
        kind="sweep report",
        facts=_facts(page),
        counts=_counts(summary),
        front=None if summary.pareto is None else len(summary.pareto),
        best=_best(summary),
        plots=[*_fronts(page), *_plots(page, plots), *_curved(page)] if plots else [],
        top=_top(page),
        failures=_failures(page.results),
        aggregates=_aggregates(summary),
    )


# ---------------------------------------------------------------------------------------------------- sections


def _facts(page: Page) -> list[tuple[str, str]]:
    summary, times = page.summary, [one.started for one in page.results if one.started]
    objectives = ", ".join(f"{goal.direction} {goal.metric}" for goal in summary.goals)
    facts = {"Objective": objectives}
    if times:
        ended = max(one.started + one.duration for one in page.results)
        facts |= {"Started": clock_time(min(times)), "Took": duration(ended - min(times))}
    return list({**facts, **page.facts}.items())


def _counts(summary: Summary) -> list[tuple[str, int]]:
    counts = asdict(summary.counts)
    return [(name, n) for name, n in counts.items() if n or name in {"planned", "finished", "failed"}]


def _best(summary: Summary) -> Mapping[str, object] | None:
    best = summary.best
    if best is None or best.value is None:
        return None
    params = [(name, short_text(value)) for name, value in flatten(best.params).items()]
    metrics = [(name, number(value)) for name, value in best.metrics.items()]
    shown = {"number": best.number, "metric": summary.metric[0], "value": number(best.value[0])}
    return {**shown, "params": params, "metrics": metrics}


def _plots(page: Page, plots: Sequence[Plot]) -> Iterable[Plotted]:
    several = len(page.summary.goals) > 1
    for place, goal in enumerate(page.summary.goals):
        trials = plot_trials(page.results, place, goal.metric)
        for plot in plots:
            if plot.of_goal:
                drawn = plot.draw(trials, goal)
                yield replace(drawn, title=f"{drawn.title}: {goal.metric}") if several else drawn
    yield from (plot.draw(trials, goal) for plot in plots if not plot.of_goal)


def _fronts(page: Page) -> Iterable[Plotted]:
    """One for each pair of the first objectives."""
    for pair in combinations(range(min(len(page.summary.goals), _OBJECTIVES)), 2):
        yield front_of(page.results, page.summary.goals, pair)


def _curved(page: Page) -> Iterable[Plotted]:
    """Nothing where no trial reported."""
    if page.curves is not None and page.curves.reported:
        yield curves_of(page.curves, page.summary.goals[0])


def _top(page: Page) -> Mapping[str, object] | None:
    summary, shown = page.summary, _ranked(page)[:_TOP]
    if not shown:
        return None
    names = list(dict.fromkeys(name for one in shown for name in flatten(one.params)))
    left_out = f" {len(names) - _PARAMS} more parameters are in the trials table." if len(names) > _PARAMS else ""
    return {
        "caption": f"{len(shown)} of {summary.counts.finished:,} finished trials.{left_out}",
        "head": ("trial", *summary.metric, *names[:_PARAMS], "seconds", "attempts"),
        "rows": [_top_row(one, len(summary.metric), names[:_PARAMS]) for one in shown],
    }


def _top_row(result: Result, objectives: int, names: Sequence[str]) -> tuple[str, ...]:
    params = flatten(result.params)
    values = [number(value) for value in result.value or [float("nan")] * objectives]
    given = [short_text(params[name]) if name in params else "" for name in names]
    return (str(result.number), *values, *given, f"{result.duration:.3g}", str(result.attempts))


def _ranked(page: Page) -> list[Result]:
    goal = page.summary.goals[0]
    front = {one.number for one in page.summary.pareto or ()}
    finished = [
        one for one in page.results if one.state is State.FINISHED and one.value and one.value[0] == one.value[0]
    ]
    return sorted(finished, key=lambda one: (one.number not in front, goal.loss((one.value or (0.0,))[0]), one.number))


def _failures(results: Sequence[Result]) -> list[Mapping[str, object]]:
    return [
        {
            "name": one.name,
            "count": one.count,
            "messages": [{"trials": example.numbers, "text": example.message} for example in one.examples],
            "rest": one.rest,
        }
        for one in failures(results)
    ]


def _aggregates(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (name, f"{a.count:,}", *map(number, (a.mean, a.std, a.min, a.p25, a.p50, a.p75, a.max)))
        for name, a in summary.aggregates.items()
    ]
