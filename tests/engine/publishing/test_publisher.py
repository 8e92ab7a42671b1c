from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st


def test_what_a_trial_leaves_is_on_its_child_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    def objective(trial: Any) -> float:
        from pathlib import Path

        (Path(trial.artifact_dir) / "model.txt").write_text(f"of trial {trial.number}")
        return float(trial.number)

    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    space = {"x": st.uniform(0, 1)}
    result = st.sweep(objective, space, max_trials=3, executor="processes", parallelism=1, sampler="random")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    found = client.search_runs([result.experiment_id], f"tags.`mlflow.parentRunId` = '{result.run_id}'")
    texts = {}
    for run in found:
        path = client.download_artifacts(run.info.run_id, "model.txt", str(tmp_path))
        texts[int(run.data.tags["sparkml.number"])] = Path(path).read_text()
    assert texts == {number: f"of trial {number}" for number in range(3)}
    assert not (tmp_path / "spool" / result.sweep).exists(), "what is published is not kept twice"


def test_what_the_store_refuses_stays_on_the_driver_and_the_child_run_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def objective(trial: Any) -> float:
        from pathlib import Path

        (Path(trial.artifact_dir) / "model.txt").write_text("precious")
        return 1.0

    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "refused").touch()  # where the experiment's folder would be
    result = st.sweep(objective, {"x": st.uniform(0, 1)}, max_trials=1, executor="processes", experiment="refused")
    kept = next((tmp_path / "spool" / result.sweep).rglob("model.txt"))
    assert kept.read_text() == "precious"
    child = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(
        [result.experiment_id], f"tags.`mlflow.parentRunId` = '{result.run_id}'"
    )[0]
    assert str(kept.parent) in child.data.tags["sparkml.artifacts"]
    assert child.data.metrics == {"loss": 1.0}
