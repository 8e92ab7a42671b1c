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
    _check_executions(found, executions, death)
    _check_runs(plan, found, uri)
    return found


def _check_states(plan: Plan, found: Found) -> None:
    """Only what raised failed, whatever was lost, and each value is that of its own params."""
    for number, body in found.accepted.items():
        if body["state"] == "failed":
            assert number % RAISES[0] == RAISES[1] and body["why"] == "exception", (number, body)
        else:
            params = found.asked[number]
            want = (params["x"] - 1.0) ** 2 + params["kind"]["c"]
            assert body["metrics"]["loss"] == want, (number, body)
            assert body["state"] in ("finished", "pruned" if plan.pruner else "finished"), (number, body)
        assert body["state"] != "finished" or number % RAISES[0] != RAISES[1], (number, body)


def _check_executions(found: Found, executions: Executions, death: Death) -> None:
    """What had an outcome was not executed again; an attempt is executed once by each driver at most."""
    twice = [one for one, count in Counter((e.trial, e.attempt, e.sent) for e in executions.begun).items() if count > 1]
    assert not twice, f"attempts that were executed twice: {twice}"
    before = {execution.sent for execution in death.begun}
    assert len(before) == 1
    again = [e for e in executions.begun if e.sent not in before and e.trial in death.accepted]
    assert not again, f"accepted before the driver died, and executed again: {again}"
    ran = {(e.trial, e.attempt) for e in executions.begun}
    for number, body in found.accepted.items():
        attempt = int(body["metrics"].get("attempt", 0))
        assert not attempt or (number, attempt) in ran, f"trial {number}: attempt {attempt} never ran"


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
            _check_child(client, run, found.accepted[int(run.data.tags[schema.TAG_NUMBER])])


def _check_child(client: MlflowClient, run: Any, accepted: Mapping[str, Any]) -> None:
    number = accepted["n"]
    points = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")]
    assert len(points) == len(set(points)), f"trial {number}: reports that are there twice: {points}"
    logged = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "logged")]
    assert len(logged) == len(set(logged)), f"trial {number}: values that are there twice: {logged}"
    if accepted["state"] != "finished":
        return
    attempt = accepted["metrics"]["attempt"]
    assert sorted(logged) == [(step, attempt) for step in range(3)], f"trial {number}: logged {logged}, not {attempt}"
    assert run.data.params["began"] == str(int(attempt)), f"trial {number}: the param of another attempt"
    attempts = {m.value for m in client.get_metric_history(run.info.run_id, "attempt")}
    assert attempts == {accepted["metrics"]["attempt"]}, f"trial {number}: reports of other attempts: {attempts}"
    steps = {step for step, _ in points}
    assert steps == {0, 1, 2, 3} or steps == {0, 1, 2}, f"trial {number}: {points}"
    names = [file.path for file in client.list_artifacts(run.info.run_id)]
    assert ("note.txt" in names) == (number % FILES[0] == FILES[1]), f"trial {number}: {names}"
