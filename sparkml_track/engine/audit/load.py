"""A sweep of the past, whole: from its journal, or from the tracking store where the journal is elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparkml_track import schema
from sparkml_track.engine.audit.expected import summary_of
from sparkml_track.engine.results.costs import Costs, costs_of
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.records import values_of
from sparkml_track.engine.results.summary import Result, Summary, summarise
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.errors import InvalidInput, TrackingError
from sparkml_track.goal import Goal, goals_of
from sparkml_track.home import Home
from sparkml_track.journals import SweepEntry, read, sweeps
from sparkml_track.trackers import StoredChild, StoredParent, Tracker, open_tracker, redacted

__all__ = ["LoadedSweep", "load_sweep", "loaded"]


@dataclass(frozen=True, slots=True)
class LoadedSweep:
    """What is known of a sweep.

    Attributes:
        result: as ``sweep()`` gave it, or would give it if the sweep ended now.
        costs: of the results.
        name: of the sweep.
        state: "running", "unfinished", "finished", "failed" or "killed".
        tracked: the URI of its store without secrets.
        why: it did not finish, for a person.
        spec: as JSON, as far as it is known.
        curves: what some of the trials reported; None where the store alone knows the sweep.
    """

    result: SweepResult
    costs: Costs
    name: str
    state: str
    tracked: str
    why: str = ""
    spec: Mapping[str, object] = field(default_factory=dict)
    curves: Curves | None = None


def load_sweep(sweep: str, *, home: str | Path | None = None, tracking_uri: str | None = None) -> SweepResult:
    """A sweep of the past, as ``sweep()`` returned it; of one that runs or was interrupted, what there is so far.

    Args:
        sweep: its id, or the id of its parent run.
        home: the state folder; as in ``sweep`` by default.
        tracking_uri: of the store, for a sweep whose journal is not in ``home``; the home's own by default. Params are
            then text, as stores keep them.

    Raises:
        JournalError: its journal cannot be read.
        InvalidInput: neither the home nor the store has it.
        TrackingError: the store cannot be read.
    """
    return loaded(sweep, Home.find(home).root, tracking_uri).result


def loaded(target: str, home: Path, tracking_uri: str | None = None) -> LoadedSweep:
    """The same with what else is known of it; see ``load_sweep``."""
    entries = {entry.sweep: entry for entry in sweeps(home)}
    if target in entries:
        return _from_journal(home, entries[target])
    if tracking_uri is None and not Home.find(home).database.is_file():  # to open it would make it
        raise InvalidInput(f"{target!r} is not a sweep in {home}, {_others(entries)}, and nothing is tracked there")
    with closing(open_tracker(tracking_uri, home)) as tracker:
        run_id = tracker.find(target) or target
        try:
            parent = tracker.parent(run_id)
        except TrackingError as error:
            if type(error) is not TrackingError:
                raise
            raise InvalidInput(
                f"{target!r} is neither a sweep in {home}, {_others(entries)}, nor one in {tracker.uri}: {error}"
            ) from None
        if parent.sweep in entries:
            return _from_journal(home, entries[parent.sweep])
        return _from_store(home, tracker, parent)


def _others(entries: Mapping[str, SweepEntry]) -> str:
    some = ", ".join(list(entries)[:5])
    return f"which has {some}{' and others' if len(entries) > 5 else ''}" if some else "which has none"


def _from_journal(home: Path, entry: SweepEntry) -> LoadedSweep:
    past = History.of(read(home, entry.sweep))
    spec, parent = past.begun.spec, past.parent
    run_id, experiment = (parent.run_id, parent.experiment_id) if parent is not None else ("", "")
    results = sorted(past.results.values(), key=lambda one: one.number)
    state = "unfinished" if past.ended is None else past.ended.state.value
    return LoadedSweep(
        result=replace(
            _result(home, entry.sweep, (run_id, experiment), summary_of(past), results, spec.seed),
            tracked=spec.tracking.uri,
            curves=past.curves,
        ),
        costs=costs_of(results, past.idle, spec.tracking.slot_hour_price),
        name=past.begun.name,
        state="running" if entry.holder is not None else state,
        tracked=spec.tracking.uri or Home.find(home).tracking_uri,
        why="" if past.ended is None else past.ended.why,
        spec=spec.described,
        curves=past.curves,
    )


def _from_store(home: Path, tracker: Tracker, parent: StoredParent) -> LoadedSweep:
    goals = _goals(parent)
    children = sorted(tracker.children(parent.run_id), key=lambda child: child.number)
    results = [_result_of(child, goals) for child in children if child.state.terminal]
    running = len(children) - len(results)
    planned = max(int(parent.metrics.get("trials_planned", 0)), len(children))
    ids, seed = (parent.run_id, parent.experiment_id), int(parent.params.get("seed", 0))
    summary = summarise(results, planned, running, goals)
    price = float(parent.params["slot_hour_price"]) if "slot_hour_price" in parent.params else None
    return LoadedSweep(
        result=replace(_result(home, parent.sweep, ids, summary, results, seed), tracked=tracker.uri),
        costs=costs_of(results, parent.metrics.get("slot_seconds_idle"), price),
        name=parent.tags.get("mlflow.runName", parent.sweep),
        state="unfinished" if parent.status == "RUNNING" else parent.tags.get(schema.TAG_STATE, "unfinished"),
        tracked=redacted(tracker.uri),
        spec=dict(parent.params),
    )


def _result(
    home: Path, sweep: str, ids: tuple[str, str], summary: Summary, results: Sequence[Result], seed: int
) -> SweepResult:
    return SweepResult(sweep, *ids, summary, tuple(results), Home(home).report(sweep), seed)


def _goals(parent: StoredParent) -> tuple[Goal, ...]:
    """Of a sweep that the store alone knows."""
    metric = parent.params.get("metric", "loss").split(",")
    direction = parent.params.get("direction", "minimize").split(",")
    if len(metric) != len(direction):
        raise TrackingError(f"The run {parent.run_id!r} has the metrics {json.dumps(metric)} and other directions.")
    return goals_of(metric, direction)


def _result_of(child: StoredChild, goals: Sequence[Goal]) -> Result:
    """A result as the store has it: params are text."""
    names = [goal.metric for goal in goals]
    whole = all(name in child.metrics for name in names)
    return Result(
        number=child.number,
        params=dict(child.params),
        state=child.state,
        metrics=dict(child.metrics),
        value=values_of(child.state, child.metrics, names) if whole else None,
        attempts=child.attempts,
        started=child.started,
        duration=child.duration,
        reason=child.reason,
        message=child.message,
        host=child.host,
        artifacts=child.artifacts,
        usage=child.usage,
    )
