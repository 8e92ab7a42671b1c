"""Where experiments keep their artifacts: one rule for all who make them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, RESOURCE_ALREADY_EXISTS

from sparkml_track.adapters.mlflow.experiments import artifact_location, artifact_root, find_experiment
from sparkml_track.errors import TrackingError


@pytest.mark.parametrize("uri", ["sqlite:////x/mlflow.db", "postgresql://db/mlflow", "mysql+pymysql://db/mlflow"])
def test_runs_in_a_database_have_their_artifacts_in_the_home(uri: str, tmp_path: Path) -> None:
    assert artifact_root(uri, tmp_path / "artifacts") == str(tmp_path / "artifacts")


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "https://host", "databricks", "databricks://a", "/runs"])
def test_a_store_with_a_place_of_its_own_chooses_it(uri: str, tmp_path: Path) -> None:
    assert artifact_root(uri, tmp_path) is None
    assert artifact_location(None, "flights") is None


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("flights", "flights"),
        ("a b/c", "a-b-c"),
        ("../up", "up"),
        ("///", "experiment"),
        ("x" * 300, "x" * 60),
        ("vols été", "vols-été"),
    ],
)
def test_a_name_becomes_one_folder_under_the_root(name: str, folder: str) -> None:
    assert artifact_location("/root", name) == f"/root/{folder}"


class Client:
    """Has no experiment when it is first asked."""

    def __init__(self, code: int, then: object) -> None:
        self.code, self.answers = code, [None, then]

    def get_experiment_by_name(self, name: str) -> object:
        return self.answers.pop(0)

    def create_experiment(self, name: str, artifact_location: str | None, tags: dict[str, str]) -> str:
        raise MlflowException("no", self.code)


def test_an_experiment_that_another_process_made_meanwhile_is_taken() -> None:
    made = SimpleNamespace(experiment_id="7", lifecycle_stage="active")
    assert find_experiment(Client(RESOURCE_ALREADY_EXISTS, made), "x", None) == "7"


def test_a_deleted_experiment_is_named() -> None:
    deleted = SimpleNamespace(experiment_id="7", lifecycle_stage="deleted")
    with pytest.raises(TrackingError, match="'x' is deleted"):
        find_experiment(Client(RESOURCE_ALREADY_EXISTS, deleted), "x", None)


def test_other_errors_pass() -> None:
    with pytest.raises(MlflowException):
        find_experiment(Client(INTERNAL_ERROR, None), "x", None)
