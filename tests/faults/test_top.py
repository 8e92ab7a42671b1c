"""``child_runs="top:K"``: the best trials have child runs, the table on the parent run has all."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import sparkml_track as st
from sparkml_track.engine.audit.verify import child_of, verify
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import SparkmlError, SpecError
from sparkml_track.journals import read
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.trackers import StoredChild, default_uri, open_tracker
from tests.faults.driver import DEFAULTS
from tests.faults.here import Moments, sweep

TOP = {"tracking": Tracking(child_runs="top:3"), "max_trials": 12}


class Stop(BaseException):
    """Ends a sweep as the death of its driver would."""


def die() -> None:
    raise Stop


def objective(trial: Any) -> float:
    if trial.number == 2:
        raise ValueError("no")
    (Path(trial.artifact_dir) / "note.txt").write_text(f"of trial {trial.number}")
    trial.report({"loss": 99.0}, step=1)
    return float("nan") if trial.number == 3 else float(trial.params["x"] ** 2)


def stored(home: Path, run_id: str) -> dict[int, StoredChild]:
    with closing(open_tracker(None, home)) as tracker:
        return {child.number: child for child in tracker.children(run_id)}


def best(result: Any, most: int = 3) -> set[int]:
    finished = [one for one in result.trials if one.value and one.value[0] == one.value[0]]
    return {one.number for one in sorted(finished, key=lambda one: one.value[0])[:most]}


def test_the_best_have_child_runs_with_their_artifacts_and_the_table_has_all(home: Path) -> None:
    result = sweep(home, objective=objective, **TOP)
    children = stored(home, result.run_id)
    assert set(children) == best(result)
    for number, child in children.items():
        assert child.metrics["loss"] == result.trials[number].metrics["loss"]
    notes = {path.read_text() for path in (home / "artifacts").rglob("note.txt")}
    assert notes == {f"of trial {number}" for number in children}
    assert not (home / "spool" / result.sweep).exists(), "what the others left is gone"
    (table,) = (home / "artifacts").rglob("trials.json")
    assert len(json.loads(table.read_text())["data"]) == 12
    assert verify(result.sweep, home=home).differences == []
    assert assert_accounting(home, result.sweep)["finished"] == 11


def test_with_maximize_the_largest_are_the_best(home: Path) -> None:
    result = sweep(home, direction="maximize", **TOP)
    assert set(stored(home, result.run_id)) == set(
        sorted(range(12), key=lambda number: -result.trials[number].value[0])[:3]  # type: ignore[index]
    )


@pytest.mark.parametrize("moment", [("received", 9), ("closing", 1), ("published", 1), ("parent ended", 1)])
def test_resumed_after_a_death_it_has_the_best_of_all(moment: tuple[str, int], home: Path) -> None:
    with pytest.raises((Stop, SparkmlError)):
        sweep(home, Moments().at(*moment, die), objective=objective, **TOP)
    result = sweep(home, objective=objective, **TOP)
    assert set(stored(home, result.run_id)) == best(result)
    assert len({path.read_text() for path in (home / "artifacts").rglob("note.txt")}) == 3
    assert verify(result.sweep, home=home).differences == []


def test_those_of_an_interrupted_end_stay_and_take_places(home: Path) -> None:
    def interrupt() -> None:
        raise SparkmlError("the executor is gone")

    with pytest.raises(SparkmlError):
        sweep(home, Moments().at("received", 6, interrupt), **TOP)
    (name,) = (path.name for path in (home / "journal").iterdir() if path.is_dir())
    assert verify(name, home=home).differences == []
    first = {n for record in read(home, name) if record.kind == "published" for n in record.body["n"]}  # type: ignore[attr-defined]
    assert len(first) == 3
    result = sweep(home, **TOP)
    assert result.sweep == name
    assert set(stored(home, result.run_id)) == first | best(result)
    assert verify(name, home=home).differences == []
    assert assert_accounting(home, name)["finished"] == 12


def test_verify_finds_a_best_trial_without_its_run_and_repair_publishes_it(home: Path) -> None:
    with pytest.raises(Stop):
        sweep(home, Moments().at("closing", 1, die), **TOP)
    (name,) = (path.name for path in (home / "journal").iterdir() if path.is_dir())
    found = verify(name, home=home)
    assert any("has not ended" in line for line in found.differences)
    repaired = verify(name, home=home, repair=True)
    assert repaired.differences == []
    assert "published the child runs of 3 trials" in repaired.repaired


@pytest.mark.parametrize("wrong", [0, 4])
def test_accounting_finds_a_child_run_too_many_or_missing(wrong: int, home: Path) -> None:
    result = sweep(home, **TOP)
    assert assert_accounting(home, result.sweep)["finished"] == 12
    ranked = sorted(result.trials, key=lambda one: (one.value or ())[0])
    with closing(open_tracker(None, home)) as tracker:
        if wrong:
            tracker.publish(result.run_id, [child_of(ranked[wrong])])
        else:
            run_id = stored(home, result.run_id)[ranked[0].number].run_id
            MlflowClient(default_uri(home)).delete_run(run_id)
    with pytest.raises(AssertionError, match=f"too many.*{ranked[wrong].number}: 1" if wrong else "missing: Counter"):
        assert_accounting(home, result.sweep)


def test_accounting_without_child_runs(home: Path) -> None:
    result = sweep(home, max_trials=12, tracking=Tracking(child_runs="none"))
    assert assert_accounting(home, result.sweep)["finished"] == 12


@pytest.mark.parametrize("wrong", ["top:0", "top:", "top:x", "top", "some"])
def test_another_word_is_refused_with_those_allowed(wrong: str) -> None:
    given = {**DEFAULTS, "objective": objective, "space": {"x": st.uniform(0, 1)}, "tracking": Tracking(None, wrong)}
    given |= {"resources": st.Resources(), "failures": st.Failures()}
    with pytest.raises(SpecError, match=r"allowed are 'all', 'none' and 'top:K'"):
        check(SweepArguments(**given))
    with pytest.raises(SpecError, match="takes one metric"):
        check(SweepArguments(**{**given, "tracking": Tracking(None, "top:3"), "metric": ("a", "b")}))


@pytest.mark.parametrize("choice", ["top:3", "none"])
def test_a_resumed_sweep_keeps_the_choice_it_began_with(
    choice: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 6, die), max_trials=12)
    result = sweep(home, max_trials=12, tracking=Tracking(child_runs=choice))
    assert "child_runs stays 'all', as the sweep began" in caplog.text
    assert len(stored(home, result.run_id)) == 12
    assert verify(result.sweep, home=home).differences == []
