"""Files of models that trials log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sparkml_track.testing.trackers import sample_child
from sparkml_track.trackers import ChildRun
from sparkml_track.trackers._mlflow.models import store_models
from sparkml_track.trial import RunLog

ONE, SLOT = "m-" + "1" * 32, "0" * 32
MLMODEL = f"artifact_path: /tmp/slot\nmodel_id: {ONE}\nrun_id: {SLOT}\n"


def child(left: Path) -> ChildRun:
    return replace(sample_child(0), artifacts=left, logged=RunLog(models=[{"id": ONE, "run_id": SLOT}]))


def test_files_go_to_the_models_of_the_experiment_and_name_the_child_run(tmp_path: Path) -> None:
    folder = tmp_path / "left" / "models" / ONE / "artifacts"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL)
    root = (tmp_path / "store").as_uri()
    assert store_models(child(tmp_path / "left"), "f" * 32, root, "") == ""
    stored = tmp_path / "store" / "models" / ONE / "artifacts" / "MLmodel"
    assert stored.read_text() == f"artifact_path: {root}/models/{ONE}/artifacts\nmodel_id: {ONE}\nrun_id: {'f' * 32}\n"
    assert list((tmp_path / "left").iterdir()) == []
    assert store_models(child(tmp_path / "left"), "f" * 32, root, "") == ""  # again, as after a crash
    assert stored.exists()


def test_what_a_link_in_place_of_a_model_points_to_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other" / "artifacts"
    other.mkdir(parents=True)
    (other / "MLmodel").write_text(MLMODEL)
    (tmp_path / "left" / "models").mkdir(parents=True)
    (tmp_path / "left" / "models" / ONE).symlink_to(other.parent)
    store_models(replace(child(tmp_path / "left"), in_place=True), "f" * 32, (tmp_path / "store").as_uri(), "")
    assert (other / "MLmodel").read_text() == MLMODEL
