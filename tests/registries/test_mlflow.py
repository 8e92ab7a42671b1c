"""The MLflow registry passes the registry case, and writes what MLflow's own client reads."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import mlflow
import numpy
import pandas
import pytest
import skops.io
import yaml
from mlflow import MlflowClient
from sklearn.preprocessing import FunctionTransformer

from sparkml_track.errors import RegistryError
from sparkml_track.refs import ModelRef
from sparkml_track.registries import MlflowRegistry, Package, Registry, Run
from sparkml_track.registries._files import digest_files
from sparkml_track.registries._mlflow.files import _sklearn_flavor, read_model
from sparkml_track.registries._mlflow.flavors import save_model
from sparkml_track.schema import TAG_FILES, TAG_NAME
from sparkml_track.testing.registries import NAME, RUN, RegistryCase, _inputs, _package
from sparkml_track.testing.trackers import sample_parent
from sparkml_track.trackers import open_tracker

# MLflow's own query options.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")]


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
    with pytest.raises(RegistryError, match=f"no recorded digests.*models adopt {NAME}/1"):
        registry.load(ref)


def test_a_version_of_another_tool_is_checked_once_it_was_taken_in(registry: MlflowRegistry, tmp_path: Path) -> None:
    ref = foreign(registry, tmp_path, sample=_inputs().astype("float64"))
    registry.adopt(ref)
    registry.adopt(ref)
    assert [each.name for each in registry.signature(ref).inputs] == ["wind", "seats", "gust"]
    with pytest.raises(RegistryError, match="allow pyfunc among the formats"):
        registry.load(ref)
    reader = MlflowRegistry(registry._full_uri, formats=("skops", "pyfunc"))
    assert list(reader.load(ref).predict(_inputs().head(2).astype("float64"))) == [0, 0]  # type: ignore[attr-defined]
    model_file(registry, ref, "requirements.txt").write_text("other\n")
    registry.adopt(ref)
    with pytest.raises(RegistryError, match=r"requirements\.txt has SHA-256"):
        reader.load(ref)


def test_a_version_that_says_nothing_of_its_inputs_is_not_taken_in(registry: MlflowRegistry, tmp_path: Path) -> None:
    ref = foreign(registry, tmp_path, sample=None)
    with pytest.raises(RegistryError, match="has no signature with named columns"):
        registry.adopt(ref)


def foreign(registry: MlflowRegistry, folder: Path, sample: object) -> ModelRef:
    """A version of XGBoost's own format, as whoever uses MLflow alone registers it."""
    _sklearn_flavor()  # the first import of MLflow's models warns
    import mlflow.xgboost
    from xgboost import XGBClassifier

    model = XGBClassifier(n_estimators=1).fit(_inputs(), [0] * 30 + [0] * 29 + [1])
    signature = sample if sample is None else mlflow.models.infer_signature(sample, model.predict(_inputs()))
    path = folder / "foreign"
    mlflow.xgboost.save_model(model, str(path), signature=signature, pip_requirements=["xgboost"])
    registry._client.create_registered_model(NAME)
    registry._client.create_model_version(NAME, source=str(path), run_id=registry.record(RUN))
    return registry.version(NAME, 1)


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


def test_runs_are_written_as_trackers_write_them(registry: MlflowRegistry, tmp_path: Path) -> None:
    run_id = registry.record(
        Run("monitoring", "november", "tests", started=1.7e9, tags={f"t{n}": "x" for n in range(150)})
    )
    with closing(open_tracker(registry._full_uri, tmp_path)) as tracker:
        parent, _ = tracker.start(sample_parent())
    own, sweep = (registry._client.get_run(one) for one in (run_id, parent))
    assert (own.info.run_name, own.info.start_time) == ("november", 1_700_000_000_000)
    for tag in ("mlflow.user", "mlflow.source.name", "mlflow.source.type"):
        assert own.data.tags[tag] == sweep.data.tags[tag]
    assert own.info.user_id == sweep.info.user_id
    assert sum(tag.startswith("t") for tag in own.data.tags) == 150


def test_errors_are_one_line_without_pages_and_secrets(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-of-ada")

    def answer(*_: object) -> None:
        raise mlflow.MlflowException("not in a valid JSON format. Response body: '<html>\nBearer t0ken-of-ada'")

    monkeypatch.setattr(registry._client, "get_registered_model", answer)
    with pytest.raises(RegistryError, match=r"could not look up .*: not in a valid JSON format$") as caught:
        registry.alias(NAME, "champion")
    assert caught.value.__cause__ is None


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


def test_a_database_that_is_away_is_said_at_once() -> None:
    """MLflow asks ten times, for 100 s in sum."""
    began = time.monotonic()
    with pytest.raises(RegistryError, match=r"could not open the registry: .*port 1 failed") as caught:
        MlflowRegistry("postgresql+psycopg://me@127.0.0.1:1/x")
    assert time.monotonic() - began < 60
    assert "\n" not in str(caught.value)


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


def forge(registry: MlflowRegistry, ref: ModelRef, **flavor: object) -> None:
    """Makes a stored model one of another form, and its recorded digests those of what lies there now."""
    folder = model_file(registry, ref, "")
    stored = yaml.safe_load((folder / "MLmodel").read_text())
    stored["flavors"]["sklearn"] |= flavor
    (folder / "MLmodel").write_text(yaml.safe_dump(stored))
    registry._client.set_model_version_tag(ref.name, str(ref.version), TAG_FILES, json.dumps(digest_files(folder)))


class Bomb:
    """Shows that its pickle was read."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.environ.__setitem__, ("BOMB", "1")


@pytest.mark.parametrize("form", ["pickle", "cloudpickle"])
def test_a_pickle_is_not_read_though_its_digest_is_the_recorded_one(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.delenv("BOMB", raising=False)
    ref = registry.register(NAME, _package(), RUN)
    model_file(registry, ref).write_bytes(cloudpickle.dumps(Bomb()))
    forge(registry, ref, serialization_format=form)
    with pytest.raises(RegistryError, match=rf"stored as {form}, .*allowed are skops"):
        registry.load(ref)
    assert "BOMB" not in os.environ


def test_a_pickle_is_read_where_the_setting_allows_it(tmp_path: Path, registry: MlflowRegistry) -> None:
    ref = registry.register(NAME, _package(), RUN)
    model_file(registry, ref).write_bytes(pickle.dumps(_package().model))
    forge(registry, ref, serialization_format="pickle")
    trusting = MlflowRegistry(registry._full_uri, formats=("skops", "pickle"))
    assert trusting.load(ref).predict_proba(_inputs()).shape == (60, 2)  # type: ignore[attr-defined]


def test_a_file_that_names_what_no_model_is_made_of_is_not_read(registry: MlflowRegistry) -> None:
    ref = registry.register(NAME, _package(), RUN)
    forged = FunctionTransformer(os.system)
    model_file(registry, ref).write_bytes(skops.io.dumps(forged))
    forge(registry, ref, skops_trusted_types=skops.io.get_untrusted_types(data=skops.io.dumps(forged)))
    with pytest.raises(RegistryError, match=r"posix\.system is not part of a model"):
        registry.load(ref)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"formats are skops, .*got 'joblib'"):
        MlflowRegistry("sqlite://", formats=("joblib",))


def test_code_of_the_project_travels_and_runs_only_where_it_may(
    registry: MlflowRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_model.py").write_text(OWN)
    (tmp_path / "own_helper.py").write_text("FACTOR = 2\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        own = importlib.import_module("own_model").Own()
        ref = registry.register("own", Package(own, _inputs(), "predict"), RUN)
        assert type(registry.load(ref)) is type(own)
    for name in ("own_model", "own_helper"):
        del sys.modules[name]
        (tmp_path / f"{name}.py").unlink()
    with pytest.raises(RegistryError, match=r"own_model\.Own cannot be imported here"):
        registry.load(ref)
    trusting = MlflowRegistry(registry._full_uri, formats=("skops", "code"))
    assert (trusting.load(ref).predict(_inputs()) == 2 * _inputs()["wind"]).all()  # type: ignore[attr-defined]
    for name in ("own_model", "own_helper"):
        del sys.modules[name]


OWN = """
import own_helper
class Own:
    def predict(self, frame):
        return own_helper.FACTOR * frame["wind"]
"""


def test_a_model_of_another_flavor_comes_with_the_code_of_its_class(
    registry: MlflowRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sklearn_flavor()  # the first import of MLflow's models warns
    code = "import mlflow.pyfunc\n\nclass Own(mlflow.pyfunc.PythonModel):\n"
    code += "    def predict(self, context, model_input, params=None):\n        return model_input['wind'] * 2\n"
    (tmp_path / "own_flavored.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with warnings.catch_warnings(action="ignore"):  # of type hints that the class could have
        model = importlib.import_module("own_flavored").Own()
    package = Package(model, _inputs().head(2), flavor="mlflow.pyfunc")
    ref = registry.register("own", package, RUN)
    assert registry.signature(ref).method == "predict"
    with registry._files(ref) as folder:
        assert (folder / "code" / "own_flavored.py").is_file()
    with pytest.raises(RegistryError, match="stored as pyfunc, which can run any code"):
        registry.load(ref)
    uri = registry.log_model("logged", Package(model, None, flavor="mlflow.pyfunc"), ref.run_id, "0")
    assert uri.startswith("models:/")


def net(rows: Any) -> Any:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))


def boosted(rows: Any) -> Any:
    lightgbm = pytest.importorskip("lightgbm")
    return lightgbm.train({"objective": "regression", "verbose": -1}, lightgbm.Dataset(rows, rows["x"]), 5)


@pytest.mark.parametrize(("flavor", "fit"), [("mlflow.pytorch", net), ("mlflow.lightgbm", boosted)])
def test_models_of_libraries_that_are_optional_are_stored_read_and_asked(
    database: Path, tmp_path: Path, flavor: str, fit: Callable[[Any], Any]
) -> None:
    rows = pandas.DataFrame({"x": numpy.linspace(0, 1, 50), "z": numpy.linspace(1, 0, 50)}).astype("float32")
    model = fit(rows)
    shutil.copy(database, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with closing(MlflowRegistry(uri, str(tmp_path / "artifacts"), formats=["pyfunc"])) as registry:
        ref = registry.register("optional", Package(model, rows.head(3), flavor=flavor), RUN)
        found = numpy.asarray(registry.load(ref).predict(rows)).reshape(-1)  # type: ignore[attr-defined]
        wanted = model.predict(rows) if fit is boosted else model(_tensor(rows)).detach().numpy()[:, 0]
        assert numpy.allclose(found, wanted, atol=1e-5)
        assert [each.name for each in registry.signature(ref).inputs] == ["x", "z"]


def _tensor(rows: Any) -> Any:
    import torch

    return torch.tensor(rows.to_numpy())


def test_a_model_of_torch_is_stored_in_the_form_that_has_named_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = dict[str, object]()

    def save(pytorch_model: object, path: str, serialization_format: str | None = None, **_: object) -> None:
        given["serialization_format"] = serialization_format

    flavor = ModuleType("mlflow.pytorch")
    flavor.__dict__.update(save_model=save, get_default_pip_requirements=lambda: ["torch"])
    monkeypatch.setitem(sys.modules, "mlflow.pytorch", flavor)
    save_model(Package(object(), _inputs().head(2), flavor="mlflow.pytorch"), tmp_path, None, None)
    assert given == {"serialization_format": "pickle"}


def test_a_model_of_spark_ml_without_spark_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.errors import PySparkRuntimeError

    def no_java(_: str) -> None:
        raise PySparkRuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.")

    _sklearn_flavor()  # the first import of MLflow's models warns
    # Under other names MLflow holds a stand-in, or not, by which of its modules came first.
    monkeypatch.setattr(importlib.import_module("mlflow.pyfunc"), "load_model", no_java)
    (tmp_path / "MLmodel").write_text("flavors: {spark: {}, python_function: {loader_module: mlflow.spark}}\n")
    with pytest.raises(RegistryError, match=r"it is a model of Spark ML, and there is no Spark here .*JAVA_GATEWAY"):
        read_model(tmp_path, ["pyfunc"])
