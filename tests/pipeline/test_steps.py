"""The step of the search, run as a config file says it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import DataError, SparkmlError
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps import run_step

CODE = """\
def train(trial):
    x = trial.params["x"]
    if x > 90:
        raise ValueError("no")
    return {"loss": float(x), "seconds": float(-x)}


def fails(trial):
    raise ValueError("no")
"""
CONF = """\
name: front
home: state
code: [code]
sweep:
  objective: front_code:train
  sampler: random
  executor: inline
  parallelism: 2
  seed: 3
  max_trials: 14
  space: {x: {uniform: [0, 10]}}
"""
REGISTER = """\
register:
  model: m
  refit: front_code:train
  baselines: front_code:train
  inputs: front_code:train
  evaluate: front_code:train
"""


def settings(folder: Path, more: str = "", text: str = CONF) -> Settings:
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "front_code.py").write_text(CODE)
    (folder / "conf.yaml").write_text(text + more)
    return load(folder / "conf.yaml", {})


def kept(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "state" / "steps" / "front" / "sweep.json").read_text())
    return found


def test_with_one_metric_the_best_trial_is_told(tmp_path: Path) -> None:
    told = run_step("sweep", settings(tmp_path)).facts()
    assert str(told["best"]).startswith("trial ")
    assert "Pareto front" not in told
    assert kept(tmp_path)["metric"] == "loss"
    assert isinstance(kept(tmp_path)["params"], dict)


def test_with_several_metrics_the_front_is_told_and_register_refuses(tmp_path: Path) -> None:
    told = run_step("sweep", settings(tmp_path, "  metric: [loss, seconds]\n")).facts()
    assert str(told["best"]).startswith("14 trials that no other beats in every metric; the first 10 of them are shown")
    rows = told["Pareto front"]
    assert isinstance(rows, dict)
    assert len(rows) == 10
    assert all(row["loss"] == row["x"] == -row["seconds"] for row in rows.values())
    assert (kept(tmp_path)["metric"], kept(tmp_path)["params"]) == (["loss", "seconds"], None)
    with pytest.raises(DataError, match="had the metrics loss, seconds and so no best trial"):
        run_step("register", settings(tmp_path, REGISTER))


def test_a_front_without_trials_is_an_error(tmp_path: Path) -> None:
    text = CONF.replace("front_code:train", "front_code:fails")
    with pytest.raises(SparkmlError, match="no trial finished with finite values; the report says more"):
        run_step("sweep", settings(tmp_path, "  metric: [loss, seconds]\n", text))


def test_models_of_the_projects_own_classes_are_found_by_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    Project(settings(tmp_path)).registry()
    assert str(tmp_path / "code") in sys.path
