"""The models of the flights job and their objective, on small made-up months."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flights import model
from flights.objective import train
from sparkml_track.promotion import Promotion, Recipe, register
from sparkml_track.registries import MemoryRegistry, MlflowRegistry, Package, Run

pytestmark = pytest.mark.slow

BOOSTING = {"kind": "boosting", "linear": 0.3, "learning_rate": 0.1, "max_iter": 12, "max_leaf_nodes": 8}
FOREST = {"kind": "forest", "linear": 0.5, "n_estimators": 7, "max_depth": 4, "max_features": 0.5}
LOGISTIC = {"kind": "logistic", "C": 1.0, "scaler": "quantile"}
KINDS = pytest.mark.parametrize("params", [BOOSTING, FOREST, LOGISTIC], ids=lambda params: params["kind"])


def table(seed: int, rows: int = 600) -> pa.Table:
    random = np.random.default_rng(seed)
    wind, rate = random.normal(size=rows), random.random(rows)
    holes = np.where(random.random(rows) < 0.1, np.nan, wind)
    return pa.table(
        {
            "flight_id": [f"UA{number}" for number in range(rows)],
            "prediction_time": pa.array(np.arange(rows), pa.timestamp("us", "UTC")),
            "month": random.integers(1, 9, rows),
            "carrier": ["UA"] * rows,
            "wind_speed": pa.array(holes, from_pandas=True),
            "carrier_late_7d": rate,
            "seats": pa.array(random.integers(20, 300, rows), pa.int32()),
            "late": ((wind * rate + random.normal(size=rows) / 2) > 0.3).astype(np.int32),
        }
    )


DATA = {"train": table(1), "valid": table(2), "test": table(3)}
FEATURES = ["wind_speed", "carrier_late_7d", "seats"]


class FakeTrial:
    """Remembers reports; stops after as many as it is told."""

    def __init__(self, params: dict[str, Any], stop_after: int = 99) -> None:
        self.params = {"rows": 300, "model": params}
        self.seed = 4
        self.data = DATA
        self.reports: list[tuple[int, dict[str, float]]] = []
        self._stop_after = stop_after

    def report(self, metrics: Any, step: int) -> None:
        self.reports.append((step, dict(metrics)))

    def should_stop(self) -> bool:
        return len(self.reports) >= self._stop_after


def test_keys_times_labels_and_text_are_no_features() -> None:
    assert model.feature_names(DATA["train"]) == FEATURES


def test_what_is_known_only_after_landing_is_no_feature() -> None:
    leaking = DATA["train"].append_column("arr_delay", pa.array(np.zeros(600)))
    assert model.feature_names(leaking) == FEATURES


def test_inputs_keep_names_order_and_nulls() -> None:
    frame = model.inputs(DATA["train"])
    assert list(frame.columns) == FEATURES
    assert set(frame.dtypes) == {np.dtype("float32")}
    assert frame["wind_speed"].isna().sum() == DATA["train"]["wind_speed"].null_count > 0


@KINDS
def test_a_trial_gives_all_metrics_and_the_same_ones_for_the_same_seed(params: dict[str, Any]) -> None:
    first, second = train(FakeTrial(params)), train(FakeTrial(params))
    assert first == second
    assert set(first) == {"log_loss", "auc", "brier"}
    assert first["auc"] > 0.6


@KINDS
def test_a_trial_measures_what_a_refit_on_the_same_rows_would(params: dict[str, Any]) -> None:
    trial = FakeTrial(params)
    trial.params["rows"] = 10**9
    whole = model.build(params, trial.seed, 600).fit(model.matrix(DATA["train"]), model.labels(DATA["train"]))
    expected = model.measure(model.labels(DATA["valid"]), whole.predict_proba(model.matrix(DATA["valid"]))[:, 1])
    # A forest grown in parts draws other rows than one grown at once.
    assert train(trial) == pytest.approx(expected, rel=0.1 if params["kind"] == "forest" else 1e-6)


@pytest.mark.parametrize(("params", "steps"), [(BOOSTING, [2, 4, 7, 9, 12]), (FOREST, [1, 2, 4, 5, 7])])
def test_trees_report_as_they_grow(params: dict[str, Any], steps: list[int]) -> None:
    trial = FakeTrial(params)
    metrics = train(trial)
    assert [step for step, _ in trial.reports] == steps
    assert trial.reports[-1][1] == metrics


def test_a_stopped_trial_grows_no_further() -> None:
    trial = FakeTrial(BOOSTING, stop_after=2)
    assert train(trial) == trial.reports[-1][1]
    assert [step for step, _ in trial.reports] == [2, 4]


def test_the_objective_needs_only_scikit_learn_numpy_and_pyarrow(root: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('sparkml_track', 'pandas', 'mlflow', 'pyspark')));"
        "import flights.objective"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root / "jobs")


@KINDS
def test_the_recipe_makes_a_champion_out_of_parameters(params: dict[str, Any]) -> None:
    recipe = Recipe(model.refit, model.baselines, model.evaluate, model.inputs)
    registry = MemoryRegistry()
    verdict = register(Promotion("delay", "tests", {"model": params}, "log_loss", seed=4), recipe, DATA, registry)
    assert {each.name for each in verdict.baselines} == {"base_rate", "plain_logistic"}
    assert verdict.baselines[0].metrics["auc"] == 0.5
    assert verdict.candidate.metrics["auc"] > 0.6
    assert [column.name for column in registry.signature(verdict.model).inputs] == FEATURES


def test_a_refit_never_sees_the_test_rows() -> None:
    without = {name: rows for name, rows in DATA.items() if name != "test"}
    one, other = (model.refit({"model": BOOSTING}, data, 4) for data in (DATA, without))
    assert model.evaluate(one, DATA["test"]) == model.evaluate(other, DATA["test"])


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_every_kind_comes_back_from_mlflow_as_it_was(tmp_path: Path) -> None:
    registry = MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "artifacts"))
    frame = model.inputs(DATA["test"])
    for params in (BOOSTING, FOREST, LOGISTIC):
        fitted = model.refit({"model": params}, DATA, 4)
        ref = registry.register("delay", Package(fitted, frame.head(5)), Run("model", "refit", "tests"))
        assert np.array_equal(registry.load(ref).predict_proba(frame), fitted.predict_proba(frame))  # type: ignore[attr-defined]
