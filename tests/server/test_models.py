"""Models that trials log reach a server whole: listed, loaded, registered from there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlflow.sklearn
import pytest
from mlflow import MlflowClient

import sparkml_track as st
from sparkml_track.testing.servers import TrackingServer

pytestmark = pytest.mark.slow


def test_a_model_of_a_trial_is_listed_loaded_and_registered(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def objective(trial: Any) -> float:
        import mlflow.sklearn
        from sklearn.linear_model import LinearRegression

        model = LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0])
        mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
        return float(trial.params["x"])

    served = tmp_path / "served"
    served.mkdir()
    shutil.copy(pristine / "mlflow.db", served / "mlflow.db")
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with TrackingServer(served, bulk=True, environ={"SPARKML_HOME": str(served)}) as server:
        result = st.sweep(
            objective,
            {"x": st.uniform(0, 1)},
            name="models",
            max_trials=2,
            executor="processes",
            parallelism=2,
            tracking=st.Tracking(uri=server.uri),
            progress=False,
        )
        assert result.counts.finished == 2
        client = MlflowClient(server.uri)
        models = client.search_logged_models([client.get_run(result.run_id).info.experiment_id])
        assert len({model.source_run_id for model in models}) == 2
        with monkeypatch.context() as patch:
            patch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", server.uri)
            patch.setattr(mlflow.tracking._model_registry.utils, "_registry_uri", server.uri)
            model = mlflow.sklearn.load_model(f"models:/{models[0].model_id}")
            assert model.predict([[1.5]]) == pytest.approx([3.0])
            version = mlflow.register_model(f"models:/{models[0].model_id}", "twice")
        assert models[0].model_id in client.get_model_version("twice", version.version).source
