"""What the parent run's description says, in Markdown, which MLflow's UI shows on top of the run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from sparkml_track import schema
from sparkml_track.adapters.mlflow.links import page_link
from sparkml_track.engine.results.costs import Costs
from sparkml_track.engine.results.failures import failures
from sparkml_track.engine.results.summary import Result, Summary
from sparkml_track.readable import duration, number, short_text
from sparkml_track.space import flatten

__all__ = ["TOP", "Described", "description"]

#: Trials in the table of the best.
TOP = 10
_PARAMS = 6


@dataclass(frozen=True, slots=True)
class Described:
    """What a description is made of.

    Attributes:
        name: of the sweep.
        sweep: its id.
        experiment_id: where its runs are.
        summary: of the results.
        results: all of them, by number.
        top: the best, best first.
        costs: of the results.
        spec: as JSON.
        why: it did not finish.
        began: why it was begun, where that was not by a person.
        runs: the ids of child runs, by trial, as far as there are any.
    """

    name: str
    sweep: str
    experiment_id: str
    summary: Summary
    results: Sequence[Result]
    top: Sequence[Result]
    costs: Costs
    spec: Mapping[str, object] = field(default_factory=dict)
    why: str = ""
    began: str = ""
    runs: Mapping[int, str] = field(default_factory=dict)


def description(of: Described) -> str:
    """Ten lines and a table. Whatever comes from the user or a slot is escaped."""
    began = f"it began because {_plain(short_text(of.began, 1_000))}" if of.began else ""
    parts = [_searched(of), began, *_counted(of), _best(of), *_failed(of), _files(of)]
    return "\n".join(f"- {part}" for part in parts if part) + _table(of)


def _searched(of: Described) -> str:
    goals = ", ".join(f"{goal.direction} {_code(goal.metric)}" for goal in of.summary.goals)
    limits = ", ".join(
        f"{name.replace('_', ' ')} {of.spec[name]}" for name in ("max_trials", "timeout") if of.spec.get(name)
    )
    sampler = of.spec.get("sampler")
    by = f", sampler {_code(sampler)}" if sampler else ""
    pruner = f", pruner {_code(of.spec['pruner'])}" if of.spec.get("pruner") else ""
    return f"**{_plain(of.name)}**: {goals}{by}{pruner}{', ' + limits if limits else ''}; sweep {_code(of.sweep)}"


def _counted(of: Described) -> list[str]:
    counts = {name: count for name, count in asdict(of.summary.counts).items() if count and name != "planned"}
    ended = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    costs, lost = of.costs, ""
    if costs.lost:
        lost = f", {costs.lost:,} attempts lost with their workers"
    slowest = "" if costs.slowest_trial is None else f"; slowest trial {costs.slowest_trial}: {duration(costs.slowest)}"
    took = f"took {duration(costs.wall)}; slots worked {duration(costs.used)}"
    wasted = f", {duration(costs.wasted)} of it for trials that failed" if costs.wasted else ""
    idle = f", and were idle for {duration(costs.idle)}" if costs.idle else ""
    cost = "" if costs.cost is None else f"cost {number(costs.cost)}, at {number(costs.price or 0.0)} for a slot's hour"
    return [
        f"{of.summary.counts.planned:,} trials: {ended or 'none began'}",
        f"{took}{wasted}{idle}{lost}{slowest}",
        cost,
        f"it did not finish: {_plain(short_text(of.why, 300))}" if of.why else "",
    ]


def _best(of: Described) -> str:
    summary = of.summary
    if summary.pareto is not None:
        return f"{len(summary.pareto)} trials on the Pareto front: no other one beats them in every objective"
    best = summary.best
    if best is None or best.value is None:
        return "no trial finished with a finite value"
    params = ", ".join(f"{name}={short_text(value, 40)}" for name, value in flatten(best.params).items())
    value = f"{_code(summary.metric[0])} = **{number(best.value[0])}**"
    return f"best: {value} by {_link(of, best.number)} with {_code(short_text(params, 400))}"


def _failed(of: Described) -> list[str]:
    return [
        f"{one.count:,} trial{'s' if one.count > 1 else ''}: {one.name}, such as trial {one.examples[0].trials[0]}: "
        f"{_code(short_text(one.examples[0].gist, 200))}"
        for one in failures(of.results)[:3]
    ]


def _files(of: Described) -> str:
    names = [schema.ARTIFACT_REPORT, schema.ARTIFACT_TRIALS, schema.ARTIFACT_SPEC]
    runs = f"; [all trials beside each other](#/experiments/{of.experiment_id}/runs)" if of.runs else ""
    page = f"; [its page]({page_link(of.sweep)}), where `sparkml-track ui` shows this"
    return f"artifacts: {', '.join(map(_code, names))}{runs}{page}"


def _table(of: Described) -> str:
    if not of.top:
        return ""
    names = list(dict.fromkeys(name for one in of.top for name in flatten(one.params)))[:_PARAMS]
    head = ["trial", *of.summary.metric, *names]
    rows = [_row(of, one, names) for one in of.top]
    return "\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in [list(map(_plain, head)), ["---"] * len(head), *rows])


def _row(of: Described, one: Result, names: Sequence[str]) -> list[str]:
    params = flatten(one.params)
    given = [_plain(short_text(params[name], 40)) if name in params else "" for name in names]
    return [_link(of, one.number), *map(number, one.value or ()), *given]


def _link(of: Described, trial: int) -> str:
    run = of.runs.get(trial)
    return f"[trial {trial}](#/experiments/{of.experiment_id}/runs/{run})" if run else f"trial {trial}"


def _plain(text: object) -> str:
    """Text without anything that Markdown or HTML would take for its own."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>&~])", r"\\\1", " ".join(str(text).split()))


def _code(text: object) -> str:
    """Text as code: nothing in it is Markdown, and a backtick cannot end it. A pipe would end a cell of a table."""
    return f"`{' '.join(str(text).replace('`', chr(39)).split())}`"
