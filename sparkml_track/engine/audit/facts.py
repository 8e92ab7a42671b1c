"""What a person or a program asks about a sweep that is known, as JSON-able values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sparkml_track.engine.audit.load import LoadedSweep
from sparkml_track.engine.results.failures import failures
from sparkml_track.engine.results.ranking import top_trials
from sparkml_track.engine.results.summary import Result
from sparkml_track.space import flatten

__all__ = ["compared", "facts_of"]

#: Of a spec: what is not compared, since it never is the same or says nothing of the search.
_LEFT_OUT = frozenset(
    {"name", "experiment", "resume", "tracking", "seed_drawn", "points", "store_given", "experiment_given"}
)


def facts_of(sweep: LoadedSweep, top: int) -> dict[str, object]:
    """All there is to say of one sweep.

    Args:
        sweep: as it was loaded.
        top: how many of the best trials are listed.
    """
    result = sweep.result
    summary = result.summary
    best, costs = summary.best, sweep.costs
    return {
        "sweep": result.sweep,
        "name": sweep.name,
        "state": sweep.state,
        "why": sweep.why,
        "run_id": result.run_id,
        "experiment_id": result.experiment_id,
        "tracked": sweep.tracked,
        "report": str(result.report_path) if result.report_path.is_file() else None,
        "seed": result.seed,
        "goals": [{"metric": goal.metric, "direction": goal.direction} for goal in summary.goals],
        "counts": asdict(summary.counts),
        "best": None if best is None else _trial(best),
        "pareto": None if summary.pareto is None else [one.number for one in summary.pareto],
        "top": [_trial(one) for one in top_trials(summary, result.trials, top)],
        "metrics": {name: _finite(asdict(one)) for name, one in summary.aggregates.items()},
        "costs": _finite(costs.metrics()),
        "slowest": costs.slowest_trial,
        "slot_hour_price": costs.price,
        "failures": [
            {
                "reason": one.name,
                "count": one.count,
                "examples": [{"trials": list(each.trials), "message": each.message} for each in one.examples],
            }
            for one in failures(result.trials)
        ],
        "digest": summary.digest,
    }


def compared(sweeps: Sequence[LoadedSweep]) -> tuple[list[dict[str, object]], dict[str, list[object]]]:
    """Sweeps beside each other.

    Returns:
        A row for each; and what their specs say differently, by its name, a value for each.
    """
    specs = [flatten({name: one for name, one in sweep.spec.items() if name not in _LEFT_OUT}) for sweep in sweeps]
    names = dict.fromkeys(name for spec in specs for name in spec)
    different = {
        name: [spec.get(name) for spec in specs] for name in names if len({str(spec.get(name)) for spec in specs}) > 1
    }
    return [_row(sweep) for sweep in sweeps], different


def _row(sweep: LoadedSweep) -> dict[str, object]:
    summary, costs = sweep.result.summary, sweep.costs
    metric = summary.goals[0].metric
    aggregate = summary.aggregates.get(metric)
    best = summary.best
    return {
        "sweep": sweep.result.sweep,
        "state": sweep.state,
        "metric": ",".join(summary.metric),
        "best": None if best is None or best.value is None else best.value[0],
        "trial": None if best is None else best.number,
        "median": None if aggregate is None else aggregate.p50,
        **{name: count for name, count in asdict(summary.counts).items() if name != "running"},
        "wall": costs.wall,
        "slot_seconds": costs.used,
    }


def _trial(one: Result) -> dict[str, object]:
    return {
        "number": one.number,
        "value": None if one.value is None else [_number(value) for value in one.value],
        "params": flatten(one.params),
        "metrics": _finite(one.metrics),
        "duration": one.duration,
        "attempts": one.attempts,
    }


def _finite(values: Mapping[str, float]) -> dict[str, object]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> object:
    """JSON has no nan and no infinity."""
    return value if math.isfinite(value) else str(value)
