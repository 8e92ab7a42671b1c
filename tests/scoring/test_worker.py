"""Scoring of Arrow batches, as it runs in a Spark Python worker."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark import cloudpickle
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from sparkml_track.scoring._flow import _by_value
from sparkml_track.scoring._worker import Work, score_batches

X = np.random.default_rng(0).normal(size=(80, 2))
Y = (X[:, 0] > 0).astype(int)
INPUTS = (("a", "double"), ("b", "float"))


def frame(x: np.ndarray) -> Any:
    import pandas as pd

    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1].astype("float32")})


def work(model: Any, method: str = "predict_proba", inputs: Any = INPUTS, key: str = "k") -> Work:
    return Work(pickle.dumps(model), key, method, inputs, ("id", "a"), {"model_version": pa.scalar(3)})


def scored(work: Work, *batches: dict[str, Any]) -> list[dict[str, Any]]:
    made = [pa.RecordBatch.from_pydict(batch) for batch in batches]
    return [row for batch in score_batches(work, iter(made)) for row in batch.to_pylist()]


@pytest.fixture(autouse=True)
def _new_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "_sparkml_scoring", raising=False)


def test_scores_are_those_of_the_model_and_other_columns_come_along() -> None:
    model = LogisticRegression().fit(frame(X), Y)
    batch = {"id": np.arange(80), "a": X[:, 0], "b": X[:, 1].astype("float32"), "unused": ["x"] * 80}
    rows = scored(work(model), batch)
    assert [row["score"] for row in rows] == model.predict_proba(frame(X))[:, 1].tolist()
    assert rows[7] == {"id": 7, "a": X[7, 0], "score": rows[7]["score"], "problem": None, "model_version": 3}


def test_nulls_go_to_a_model_that_takes_them() -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(frame(X), Y)
    (row,) = scored(work(model), {"id": [1], "a": pa.array([None], pa.float64()), "b": [0.5]})
    assert row["problem"] is None
    assert 0 < row["score"] < 1


def test_a_row_with_a_null_is_bad_for_a_model_that_takes_none_and_the_others_are_scored() -> None:
    model = LogisticRegression().fit(frame(X), Y)
    rows = scored(work(model), {"id": [1, 2], "a": [None, 0.1], "b": [0.5, 0.5]})
    assert [(row["problem"], row["score"] is None) for row in rows] == [("null in a", True), (None, False)]


def test_an_infinite_input_is_a_bad_row() -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(frame(X), Y)
    rows = scored(work(model), {"id": [1, 2], "a": [0.0, 0.1], "b": [1e39, 0.5]})
    assert [row["problem"] for row in rows] == ["infinite b", None]


def test_a_null_in_an_integer_is_a_bad_row() -> None:
    model = LogisticRegression().fit(frame(X).assign(b=1), Y)
    inputs = (("a", "double"), ("b", "long"))
    rows = scored(work(model, inputs=inputs), {"id": [1, 2], "a": [0.0, 0.1], "b": pa.array([None, 4], pa.int64())})
    assert [row["problem"] for row in rows] == ["null in b", None]


def test_a_batch_without_a_good_row_and_an_empty_batch_are_fine() -> None:
    model = LogisticRegression().fit(frame(X), Y)
    empty = {"id": pa.array([], pa.int64()), "a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())}
    rows = scored(work(model), empty, {"id": [1], "a": [float("nan")], "b": [0.5]})
    assert [row["problem"] for row in rows] == ["null in a"]


def test_a_model_of_numbers_gives_its_prediction() -> None:
    model = LinearRegression().fit(frame(X), X[:, 0] * 2)
    (row,) = scored(work(model, "predict"), {"id": [1], "a": [1.5], "b": [0.0]})
    assert row["score"] == pytest.approx(3.0)


def test_a_model_that_fails_on_good_rows_fails_the_job() -> None:
    model = LogisticRegression().fit(frame(X)[["a"]], Y)
    with pytest.raises(ValueError, match="feature names"):
        scored(work(model), {"id": [1], "a": [1.5], "b": [0.0]})


def test_a_worker_loads_a_model_once_and_another_one_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    load = pickle.loads
    monkeypatch.setattr(pickle, "loads", lambda blob: (loads.append(len(blob)), load(blob))[1])
    model = LogisticRegression().fit(frame(X), Y)
    batch = {"id": [1], "a": [1.5], "b": [0.0]}
    for key in ("one", "one", "two"):
        scored(work(model, key=key), batch, batch)
    assert len(loads) == 2


def test_what_is_sent_runs_where_the_package_is_not_installed(tmp_path: Path) -> None:
    model = LogisticRegression().fit(frame(X), Y)
    with _by_value():
        (tmp_path / "sent").write_bytes(cloudpickle.dumps(partial(score_batches, work(model))))
    code = (
        "import sys; sys.modules['sparkml_track'] = None\n"
        "import pickle, pyarrow as pa\n"
        "run = pickle.load(open(sys.argv[1], 'rb'))\n"
        "batch = pa.RecordBatch.from_pydict({'id': [1], 'a': [0.5], 'b': [0.1]})\n"
        "print(next(run(iter([batch])))['score'][0].as_py())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "sent")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(model.predict_proba(frame(np.array([[0.5, 0.1]])))[0, 1])
