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
    spool = tmp_path / "spool" / result.sweep
    assert not any(spool.iterdir()), "what is published is not kept twice"
