"""Several objectives, and pruned trials: what result, parent run and verify say of them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.errors import SparkmlError, SpecError
from sparkml_track.trial import State

SPACE = {"x": st.uniform(0, 2), "y": st.uniform(0, 1)}
TWO = ("cost", "quality")
WAYS = ("minimize", "maximize")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    return tmp_path


def tags(home: Path, run: str) -> dict[str, str]:
    with sqlite3.connect(home / "mlflow.db") as store:
        return dict(store.execute("select key, value from tags where run_uuid = ?", (run,)))


def metrics(home: Path, run: str) -> dict[str, float]:
    with sqlite3.connect(home / "mlflow.db") as store:
        return dict(store.execute("select key, value from latest_metrics where run_uuid = ?", (run,)))


def artifact(home: Path, run: str, path: str) -> Any:
    (found,) = (home / "artifacts").rglob(f"{run}/artifacts/{path}")
    return json.loads(found.read_text())


def two_sides(trial: st.Trial) -> dict[str, float]:
    """Costs rise with quality; y is waste."""
    x, y = float(trial.params["x"]), float(trial.params["y"])  # type: ignore[arg-type]
    return {"cost": x + y, "quality": x}


@pytest.mark.parametrize("sampler", ["nsga2", "random", "optuna-tpe"])
def test_the_pareto_front_is_on_result_and_parent_run(home: Path, sampler: str) -> None:
    given: dict[str, Any] = {"metric": TWO, "direction": WAYS, "sampler": sampler, "max_trials": 30, "seed": 5}
    result = st.sweep(two_sides, SPACE, name="sides", executor="processes", parallelism=2, **given)

    def beaten(one: Any) -> bool:
        return any(
            other.value[0] <= one.value[0] and other.value[1] >= one.value[1] and other.value != one.value
            for other in result.trials
        )

    front = [trial.number for trial in result.trials if not beaten(trial)]
    assert [trial.number for trial in result.pareto] == front
    assert 1 < len(front) < 30
    assert tags(home, result.run_id)["sparkml.pareto"] == ",".join(map(str, front))
    assert "sparkml.best" not in tags(home, result.run_id)
    assert metrics(home, result.run_id)["pareto_trials"] == len(front)
    table = artifact(home, result.run_id, "sweep/pareto.json")
    assert [row[table["columns"].index("number")] for row in table["data"]] == front
    assert {"value_0", "value_1", "params.x"} <= set(table["columns"])
    with pytest.raises(SparkmlError, match=r"several objectives has no best trial; see \.pareto"):
        _ = result.best
    assert st.verify(result.sweep).clean


def test_verify_finds_a_front_that_is_not_that_of_the_results(home: Path) -> None:
    result = st.sweep(
        two_sides, SPACE, name="sides", metric=TWO, direction=WAYS, sampler="random", max_trials=5, executor="inline"
    )
    with sqlite3.connect(home / "mlflow.db") as store:
        store.execute("update tags set value = '99' where key = 'sparkml.pareto'")
    assert any("its Pareto front is '99'" in line for line in st.verify(result.sweep).differences)


@pytest.mark.parametrize("sampler", ["tpe", "anneal", "cmaes"])
def test_samplers_of_one_objective_refuse_two_and_name_others(home: Path, sampler: str) -> None:
    with pytest.raises(SpecError, match=rf"sampler '{sampler}' takes one metric, not 2; for several: .*'nsga2'"):
        st.sweep(two_sides, SPACE, metric=TWO, direction=WAYS, sampler=sampler, max_trials=5, executor="inline")
    assert not (home / "journal").exists() or not list((home / "journal").iterdir())


def test_pruners_refuse_two_objectives(home: Path) -> None:
    with pytest.raises(SpecError, match="a pruner takes one metric, not 2"):
        st.sweep(two_sides, SPACE, metric=TWO, direction=WAYS, sampler="random", pruner="median", max_trials=5)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("pruner", ["median", {"asha": {"min_steps": 2, "reduction": 2}}])
def test_a_stopped_trial_counts_as_pruned_in_result_tracking_store_and_verify(
    home: Path, pruner: Any, direction: str
) -> None:
    sign = 1.0 if direction == "minimize" else -1.0

    def falls_short(trial: st.Trial) -> float:
        for step in range(20):
            trial.report({"loss": sign * float(trial.params["x"])}, step=step)  # type: ignore[arg-type]
            if trial.should_stop():
                return sign * 1000.0  # what a stopped trial returns is not a result
        return sign * float(trial.params["x"])  # type: ignore[arg-type]

    points = [{"x": 0.5}, *({"x": 1.0 + number / 10} for number in range(1, 12))]
    result = st.sweep(
        falls_short,
        {"x": st.uniform(0, 9)},
        name="short",
        direction=direction,
        sampler="random",
        pruner=pruner,
        points_to_evaluate=points,
        max_trials=12,
        executor="processes",
        parallelism=1,
    )
    pruned = [trial.number for trial in result.trials if trial.state is State.PRUNED]
    assert result.counts.pruned == len(pruned) >= 6
    assert result.counts.finished == 12 - len(pruned)
    assert (result.best.number, result.best_value) == (0, sign * 0.5)
    assert metrics(home, result.run_id)["trials_pruned"] == len(pruned)
    with sqlite3.connect(home / "mlflow.db") as store:
        found = store.execute(
            "select number.value, runs.status from runs join tags state on state.run_uuid = runs.run_uuid "
            "join tags number on number.run_uuid = runs.run_uuid "
            "where state.key = 'sparkml.state' and state.value = 'pruned' and number.key = 'sparkml.number'"
        ).fetchall()
    assert sorted((int(number), status) for number, status in found) == [(number, "KILLED") for number in pruned]
    assert st.verify(result.sweep).clean
