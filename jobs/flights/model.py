"""The models for late flights: built from parameters, refitted, measured, and the baselines they must beat.

``conf/flights.yaml`` names these functions; a project of one's own has its own four:

    inputs(table) -> data frame       what a model takes
    refit(params, data, seed)         the model to register, from data["train"] and data["valid"]
    baselines(data, seed)             name to model: what a first champion must beat
    evaluate(model, table)            metrics by name

Trees know nothing beyond the rows they grew from, and December is unlike any month before it: alone they fit the
validation months better than a plain logistic model and the test months worse. So they vote together with one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "LABEL",
    "baselines",
    "build",
    "evaluate",
    "feature_names",
    "inputs",
    "labels",
    "logistic",
    "matrix",
    "measure",
    "refit",
    "trees",
    "weights",
]

LABEL = "late"

# Numbers that name a row, split the data or are known only after landing: never a feature.
_NOT_FEATURES = frozenset(
    {LABEL, "flight_id", "flight", "year", "month", "day", "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}
)

#: Rows that one tree of a forest is grown from: keeps the cost of a refit on all rows near that of a trial.
_TREE_ROWS = 40_000
_LINEAR = 0.3


def feature_names(table: pa.Table) -> list[str]:
    """The numeric and boolean columns that a model may know, in the table's order."""
    import pyarrow.types as kinds

    return [
        field.name
        for field in table.schema
        if field.name not in _NOT_FEATURES
        and (kinds.is_integer(field.type) or kinds.is_floating(field.type) or kinds.is_boolean(field.type))
    ]


def matrix(table: pa.Table, rows: np.ndarray | None = None) -> np.ndarray:
    """The features of all rows, or of those numbered, float32; a null is nan. Shape (rows, features)."""
    names = feature_names(table)
    out = np.empty((table.num_rows if rows is None else len(rows), len(names)), dtype=np.float32, order="F")
    for index, name in enumerate(names):
        values = table.column(name).to_numpy()
        out[:, index] = values if rows is None else values[rows]
    return out


def inputs(table: pa.Table) -> pd.DataFrame:
    """The features by name, float32."""
    import pandas as pd

    return pd.DataFrame(matrix(table), columns=feature_names(table), copy=False)


def labels(table: pa.Table) -> np.ndarray:
    """1 for a flight that arrived late, else 0."""
    values: np.ndarray = table.column(LABEL).to_numpy()
    return values.astype(np.int8)


def build(params: Mapping[str, Any], seed: int, rows: int, jobs: int = 1) -> Any:
    """An unfitted classifier: a logistic model, or trees that vote together with one.

    Args:
        params: ``kind`` is "logistic", "forest" or "boosting". For the last two ``linear`` is the weight of the
            logistic model in the vote (default 0.3); the others are those of the kind.
        seed: of its randomness.
        rows: how many it will be fitted on.
        jobs: threads of a forest.
    """
    if params["kind"] == "logistic":
        return logistic(params["C"], params["scaler"], seed)
    voters = [("linear", logistic()), ("trees", trees(params, seed, rows, jobs))]
    return VotingClassifier(voters, voting="soft", weights=weights(params))


def weights(params: Mapping[str, Any]) -> tuple[float, float]:
    """Of the logistic model and of the trees in the vote."""
    linear = float(params.get("linear", _LINEAR))
    return linear, 1 - linear


def logistic(c: float = 1.0, scaler: str = "standard", seed: int = 0) -> Any:
    """An unfitted logistic model: nulls become the median, columns are scaled, "standard" or by "quantile"."""
    scale: Any = StandardScaler()
    if scaler == "quantile":
        scale = QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=20_000, random_state=seed)
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(fill, scale, LogisticRegression(C=c, tol=1e-3, max_iter=200))


def trees(params: Mapping[str, Any], seed: int, rows: int, jobs: int = 1) -> Any:
    """The unfitted trees of a "forest" or of "boosting"; they take nulls as they are."""
    options = {name: value for name, value in params.items() if name not in ("kind", "linear")}
    if params["kind"] == "forest":
        size = min(rows, _TREE_ROWS)
        return RandomForestClassifier(**options, max_samples=size, random_state=seed, n_jobs=jobs)
    return HistGradientBoostingClassifier(**options, early_stopping=False, random_state=seed)


def refit(params: Mapping[str, Any], data: Mapping[str, pa.Table], seed: int) -> Any:
    """The best parameters of the sweep, fitted on training and validation rows."""
    frame, late = _together(data)
    # One core is left to Spark and the rest of this process: threads of OpenMP that wait for a core spin, and a fit of
    # seconds takes a minute.
    threads = max(1, len(os.sched_getaffinity(0)) - 1)
    with threadpool_limits(threads):
        return build(params["model"], seed, len(late), threads).fit(frame, late)


def baselines(data: Mapping[str, pa.Table], seed: int) -> Mapping[str, Any]:
    """The base rate and a plain logistic model, fitted on the same rows as the candidate."""
    frame, late = _together(data)
    return {
        "base_rate": DummyClassifier(strategy="prior", random_state=seed).fit(frame, late),
        "plain_logistic": logistic(seed=seed).fit(frame, late),
    }


def evaluate(model: Any, table: pa.Table) -> dict[str, float]:
    """Log loss, area under the ROC curve and Brier score of a fitted model."""
    return measure(labels(table), model.predict_proba(inputs(table))[:, 1])


def measure(late: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """The same from probabilities; nats, both classes must be there."""
    return {
        "log_loss": float(log_loss(late, probability)),
        "auc": float(roc_auc_score(late, probability)),
        "brier": float(brier_score_loss(late, probability)),
    }


def _together(data: Mapping[str, pa.Table]) -> tuple[pd.DataFrame, np.ndarray]:
    import pandas as pd

    frame = pd.concat([inputs(data["train"]), inputs(data["valid"])], ignore_index=True)
    return frame, np.concatenate([labels(data["train"]), labels(data["valid"])])
