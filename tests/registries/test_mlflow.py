"""The MLflow registry passes the registry case, and writes what MLflow's own client reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from sparkml_track.errors import RegistryError
from sparkml_track.refs import ModelRef
from sparkml_track.registries import TAG_FILES, TAG_NAME, MlflowRegistry, Registry, Run
from sparkml_track.testing.registries import NAME, RUN, RegistryCase, _inputs, _package

# MLflow's own query options.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without content; making one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def make(database: Path) -> Callable[[Path], MlflowRegistry]:
    def made(folder: Path) -> MlflowRegistry:
        shutil.copy(database, folder / "mlflow.db")
        return MlflowRegistry(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "artifacts"))

    return made


@pytest.fixture
def registry(tmp_path: Path, make: Callable[[Path], MlflowRegistry]) -> MlflowRegistry:
    return make(tmp_path)


def model_file(registry: MlflowRegistry, ref: ModelRef, name: str = "model.skops") -> Path:
    return Path(registry._client.get_model_version_download_uri(ref.name, str(ref.version))) / name


class TestMlflowRegistry(RegistryCase):
    def damage(self, registry: Registry, ref: ModelRef) -> None:
        assert isinstance(registry, MlflowRegistry)
        path = model_file(registry, ref)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def test_the_run_has_kind_params_metrics_and_the_table_version(registry: MlflowRegistry) -> None:
    ref = registry.register(NAME, _package(), RUN)
    registry.annotate(ref, {"test.auc": 0.75}, {"sparkml.verdict": "champion"})
    run = registry._client.get_run(ref.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"C": "1.0"}
    assert run.data.metrics == {"test.auc": 0.75}
    assert run.data.tags["sparkml.kind"] == "model"
    assert run.data.tags["sparkml.table.test"] == "t@v3"
    assert run.data.tags["sparkml.verdict"] == "champion"
    (dataset,) = [each.dataset for each in run.inputs.dataset_inputs]
    assert json.loads(dataset.source) == {"path": "/t", "delta_table_version": 3}
    assert [each.model_id for each in run.outputs.model_outputs]


def test_mlflow_itself_loads_the_version_by_alias(registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    package = _package()
    ref = registry.register(NAME, package, RUN)
    registry.set_alias(NAME, "champion", ref.version)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry._full_uri)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    assert loaded.predict(_inputs()).shape == (60, 2)
    assert loaded.metadata.get_input_schema().input_names() == ["wind", "seats", "gust"]


@pytest.mark.parametrize("change", ["truncate", "delete", "add"])
def test_a_model_folder_that_changed_is_refused_by_the_name_of_the_file(registry: MlflowRegistry, change: str) -> None:
    ref = registry.register(NAME, _package(), RUN)
    path = model_file(registry, ref, "extra.py" if change == "add" else "model.skops")
    if change == "truncate":
        path.write_bytes(path.read_bytes()[:-10])
    elif change == "delete":
        path.unlink()
    else:
        path.write_text("raise SystemExit")
    with pytest.raises(RegistryError, match=path.name):
        registry.load(ref)


def test_a_version_without_digests_is_refused(registry: MlflowRegistry) -> None:
    ref = registry.register(NAME, _package(), RUN)
    registry._client.delete_model_version_tag(NAME, "1", TAG_FILES)
    with pytest.raises(RegistryError, match="no recorded digests"):
        registry.load(ref)


def test_a_registration_that_fails_leaves_a_failed_run_and_no_version(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry._client, "log_model_artifacts", refuse)
    with pytest.raises(RegistryError, match="No space left on device"):
        registry.register(NAME, _package(), RUN)
    experiment = registry._client.get_experiment_by_name("tests")
    (run,) = registry._client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert registry.alias(NAME, "champion") is None
    with pytest.raises(RegistryError):
        registry.version(NAME, 1)


def test_artifacts_of_a_run_are_text_files(registry: MlflowRegistry) -> None:
    run_id = registry.record(Run("monitoring", "november", "tests", artifacts={"monitoring/report.html": "<p>hello"}))
    folder = Path(registry._client.get_run(run_id).info.artifact_uri)
    assert (folder / "monitoring" / "report.html").read_text() == "<p>hello"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a" * 129, "a:b"])
def test_names_that_are_no_names_are_refused(registry: MlflowRegistry, name: str) -> None:
    with pytest.raises(RegistryError, match="a model name has"):
        registry.register(name, _package(), RUN)


def test_a_password_in_the_uri_is_in_no_message() -> None:
    with pytest.raises(RegistryError) as caught:
        MlflowRegistry("postgresql://me:hunter2@127.0.0.1:1/x").alias(NAME, "champion")
    assert "hunter2" not in str(caught.value)


def test_nothing_is_written_outside_the_store(
    tmp_path: Path, make: Callable[[Path], MlflowRegistry], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    registry = make(tmp_path)
    registry.load(registry.register(NAME, _package(), RUN))
    assert list(elsewhere.iterdir()) == []


def test_names_that_mlflow_does_not_take_stay_apart_and_can_be_read_back(registry: MlflowRegistry) -> None:
    odd = ["acc>0.5", "acc<0.5", "a//b", "a/b/", "../..", "", ".", "R&D (south)", "30+", "x" * 300, "x" * 301, "\ud800"]
    plain = ["auc", "a/b", "recall@10".replace("@", "_"), "log_loss.2013-11"]
    metrics = {name: float(place) for place, name in enumerate([*odd, *plain, *(f"w{n}" for n in range(1_000))])}
    run_id = registry.record(Run("monitoring", "odd", "tests", metrics=metrics, params={"a,b": 1, "a;b": 2}))
    data = registry._client.get_run(run_id).data
    assert sorted(data.metrics.values()) == sorted(metrics.values())
    assert {name: data.metrics[name] for name in plain} == {name: metrics[name] for name in plain}
    names = {key.removeprefix(TAG_NAME): name for key, name in data.tags.items() if key.startswith(TAG_NAME)}
    assert {names[key]: value for key, value in data.params.items()} == {"a,b": "1", "a;b": "2"}
    key = next(key for key, name in names.items() if name == "acc>0.5")
    assert data.metrics[key] == metrics["acc>0.5"]
