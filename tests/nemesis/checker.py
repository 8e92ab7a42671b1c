"""What must hold when all is over, whatever was done to the sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from sparkml_track import schema
from sparkml_track.engine.audit.verify import verify
from sparkml_track.journals import read, sweeps
from sparkml_track.testing.accounting import assert_accounting
from tests.nemesis.executions import Executions
from tests.nemesis.nemesis import Death
from tests.nemesis.schedule import Plan
from tests.nemesis.sweep import FILES, RAISES

__all__ = ["Found", "check"]


class Found:
    """Journal and child runs of the one sweep in a home.

    Attributes:
        sweep: its id.
        accepted: bodies of accepted records, by trial.
        asked: params, by trial.
        stale: late answers that the last driver refused.
    """

    def __init__(self, home: Path) -> None:
        names = [entry.sweep for entry in sweeps(home)]
        assert len(names) == 1, f"the same command began another sweep: {names}"
        (self.sweep,) = names
        records = list(read(home, self.sweep))
        self.accepted: dict[int, Mapping[str, Any]] = {r.body["n"]: r.body for r in records if r.kind == "accepted"}  # type: ignore[misc]
        self.asked: dict[int, Any] = {r.body["n"]: r.body["params"] for r in records if r.kind == "asked"}  # type: ignore[misc]
        self.stale = next(int(str(r.body["stale"])) for r in reversed(records) if r.kind == "ended")


def check(plan: Plan, home: Path, uri: str, executions: Executions, death: Death) -> Found:
    """Asserts all of it."""
    found = Found(home)
    counts = assert_accounting(home, found.sweep, uri)
    checked = verify(found.sweep, home=home, tracking_uri=uri)
    assert checked.differences == [], checked.differences
    assert sorted(found.accepted) == list(range(plan.trials))
    assert sum(counts[state] for state in ("finished", "pruned", "failed", "killed")) == plan.trials
    _check_states(plan, found)
    _check_executions(found, executions, death, plan.units)
    _check_runs(plan, found, uri)
    return found


def _check_states(plan: Plan, found: Found) -> None:
    """Only what raised failed, whatever was lost, and each value is that of its own params."""
    for number, body in found.accepted.items():
        if body["state"] == "failed":
            assert number % RAISES[0] == RAISES[1] and body["why"] == "exception", (number, body)
        else:
            params = found.asked[number]
            base = (params["x"] - 1.0) ** 2 + params["kind"]["c"]
            want = sum(base + unit for unit in range(plan.units)) / plan.units
            assert body["metrics"]["loss"] == want, (number, body)
            assert body["state"] in ("finished", "pruned" if plan.pruner else "finished"), (number, body)
        assert body["state"] != "finished" or number % RAISES[0] != RAISES[1], (number, body)


def _check_executions(found: Found, executions: Executions, death: Death, units: int = 1) -> None:
    """What had an outcome was not executed again; an attempt is executed once by each driver at most."""
    each = Counter((e.trial, e.unit, e.attempt, e.sent) for e in executions.begun)
    twice = [one for one, count in each.items() if count > 1]
    assert not twice, f"attempts that were executed twice: {twice}"
    before = {execution.sent for execution in death.begun}
    assert len(before) == 1
    later = [e for e in executions.begun if e.sent not in before]
    again = [e for e in later if e.trial in death.accepted or (e.trial, e.unit) in death.units]
    assert not again, f"accepted before the driver died, and executed again: {again}"
    ran = {(e.trial, e.unit, e.attempt) for e in executions.begun}
    for number, body in found.accepted.items():
        for unit in range(units):
            attempt = int(body["metrics"].get(_of(unit, units, "attempt"), 0))
            assert not attempt or (number, unit, attempt) in ran, f"trial {number}: attempt {attempt} never ran"


def _of(unit: int, units: int, metric: str) -> str:
    """What a metric of a unit is called in its trial."""
    return metric if units == 1 else f"fold_{unit}_{metric}"


def _check_runs(plan: Plan, found: Found, uri: str) -> None:
    """One parent run and a child run for each trial, and no other; reports of the accepted attempt alone."""
    client = MlflowClient(uri)
    (experiment,) = [one for one in client.search_experiments() if one.name == "nemesis"]
    runs = list(client.search_runs([experiment.experiment_id], max_results=5000))
    keys = Counter(run.data.tags.get(schema.TAG_KEY, "parent") for run in runs)
    assert keys == Counter(["parent", *(f"{found.sweep}/{number}" for number in range(plan.trials))]), keys
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    for run in runs:
        if schema.TAG_NUMBER in run.data.tags:
            accepted = found.accepted[int(run.data.tags[schema.TAG_NUMBER])]
            for unit in range(plan.units):
                _check_unit(client, run, accepted, unit, plan.units)
            if accepted["state"] == "finished":
                _check_files(client, run, accepted["n"], plan.units)


def _check_unit(client: MlflowClient, run: Any, accepted: Mapping[str, Any], unit: int, units: int) -> None:
    """What a unit, or a trial that is one, reported and logged: that of its accepted attempt."""
    where = f"trial {accepted['n']}, unit {unit}"
    suffix = f"_{unit}" if units > 1 else ""
    points = history(client, run, _of(unit, units, "loss"))
    assert len(points) == len(set(points)), f"{where}: reports that are there twice: {points}"
    logged = history(client, run, f"logged{suffix}")
    assert len(logged) == len(set(logged)), f"{where}: values that are there twice: {logged}"
    if accepted["state"] != "finished":
        return
    attempt = accepted["metrics"][_of(unit, units, "attempt")]
    assert sorted(logged) == [(step, attempt) for step in range(3)], f"{where}: logged {logged}, not {attempt}"
    assert run.data.params[f"began{suffix}"] == str(int(attempt)), f"{where}: the param of another attempt"
    attempts = {value for _, value in history(client, run, _of(unit, units, "attempt"))}
    assert attempts == {attempt}, f"{where}: reports of other attempts: {attempts}"
    steps = {step for step, _ in points}
    assert steps == {0, 1, 2, 3} or steps == {0, 1, 2}, f"{where}: {points}"


def history(client: MlflowClient, run: Any, metric: str) -> list[tuple[int, float]]:
    """Steps and values."""
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric)]


def _check_files(client: MlflowClient, run: Any, number: int, units: int) -> None:
    folders = [None] if units == 1 else [f"fold_{unit}" for unit in range(units)]
    for folder in folders:
        names = [Path(file.path).name for file in client.list_artifacts(run.info.run_id, folder)]
        assert ("note.txt" in names) == (number % FILES[0] == FILES[1]), f"trial {number}, {folder}: {names}"
