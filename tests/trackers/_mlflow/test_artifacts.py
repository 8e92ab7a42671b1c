from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.artifact import artifact_repository_registry

from sparkml_track import schema
from sparkml_track.testing.trackers import sample_child
from sparkml_track.trackers._mlflow import artifacts


def refusal(code: int) -> Exception:
    response = requests.Response()
    response.status_code = code
    return requests.HTTPError(f"{code}", response=response)


class Store:
    """Takes files, but for some names: a store that passes artifacts on refuses these, and their batch."""

    def __init__(self, error: Exception) -> None:
        self.error, self.kept = error, set[str]()

    def log_artifacts(self, folder: str) -> None:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                self.log_artifact(str(path), str(path.parent.relative_to(folder)))

    def log_artifact(self, path: str, folder: str | None) -> None:
        if "\n" in path or "%2e" in path:
            raise self.error
        self.kept.add(str(Path(folder or "", Path(path).name)))


@pytest.fixture
def left(tmp_path: Path) -> Path:
    folder = tmp_path / "left"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.txt", "new\nline.txt", "%2e%2e%2fup", "deep/z.txt"):
        (folder / name).write_text("x")
    return folder


@pytest.mark.parametrize(
    "error", [refusal(400), refusal(404), RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"})]
)
def test_a_file_that_the_store_refuses_is_set_aside_and_the_rest_is_kept(
    left: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store = Store(error)
    monkeypatch.setattr(artifact_repository_registry, "get_artifact_repository", lambda *_, **__: store)
    child = replace(sample_child(0), artifacts=left)
    tags = artifacts.store_child_files(child, "mlflow-artifacts:/1/2", "http://127.0.0.1:1")
    assert store.kept == {"a.txt", "deep/z.txt", "log.txt"}
    said = tags[schema.TAG_ARTIFACTS]
    assert "the store refused 2 files: '%2e%2e%2fup', 'new\\nline.txt'" in said
    assert str(left) in said
    assert left.is_dir()


@pytest.mark.parametrize(
    "error", [refusal(401), refusal(403), refusal(429), refusal(503), requests.ConnectionError("away")]
)
def test_a_store_that_is_away_or_refuses_who_asks_is_an_error(
    left: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(artifact_repository_registry, "get_artifact_repository", lambda *_, **__: Store(error))
    with pytest.raises((requests.RequestException, MlflowException)):
        artifacts.store_files("mlflow-artifacts:/1/2", "http://127.0.0.1:1", {}, left)


def test_a_log_of_the_trials_own_is_kept_beside_ours(left: Path, tmp_path: Path) -> None:
    (left / "log.txt").write_text("mine")
    child = replace(sample_child(0), log="printed", artifacts=left)
    assert artifacts.store_child_files(child, (tmp_path / "store").as_uri(), "") == {}
    assert (tmp_path / "store" / "log.txt").read_text() == "mine"
    assert (tmp_path / "store" / schema.ARTIFACT_LOG_BESIDE).read_text() == "printed"
