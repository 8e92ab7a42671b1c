"""Scoring of Arrow batches, as it runs in a Spark Python worker."""

from __future__ import annotations

import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark import cloudpickle
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from sparkml_track.scoring._shipping import by_value
from sparkml_track.scoring._worker import FAILED, Work, score_batches

X = np.random.default_rng(0).normal(size=(80, 2))
Y = (X[:, 0] > 0).astype(int)
INPUTS = (("a", "double"), ("b", "float"))


def frame(x: np.ndarray) -> Any:
    import pandas as pd

    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1].astype("float32")})


def work(model: Any, method: str = "predict_proba", inputs: Any = INPUTS, key: str = "k") -> Work:
    return Work(
        cloudpickle.dumps(model), key, method, inputs, ("id", "a", "b"), ("id", "a"), {"model_version": pa.scalar(3)}
    )


def scored(work: Work, *batches: dict[str, Any]) -> list[dict[str, Any]]:
    made = [pa.RecordBatch.from_pydict(batch) for batch in batches]
    work = replace(work, columns=list(batches[0]))
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


class Taking:
    """Gives a for each row; raises if any of them is negative, takes nulls as 7."""

    def __init__(self, answer: Callable[[Any], Any] | None = None) -> None:
        self._answer = answer

    def predict(self, frame: Any) -> Any:
        if (frame["a"] < 0).any():
            raise RuntimeError(f"cannot take {frame['a'].min()}")
        return self._answer(frame) if self._answer else frame["a"].fillna(7).to_numpy()


def test_a_row_gets_the_same_whatever_its_neighbours_are() -> None:
    random = np.random.default_rng(1)
    a = np.where(random.random(300) < 0.2, -1.0, random.normal(size=300) ** 2)
    a[random.random(300) < 0.2] = np.nan
    batch = {"id": np.arange(300), "a": pa.array(a, from_pandas=True), "b": np.zeros(300)}
    alone = [scored(work(Taking(), "predict"), {k: v[n : n + 1] for k, v in batch.items()})[0] for n in range(300)]
    assert scored(work(Taking(), "predict"), batch) == alone
    assert {row["problem"] for row in alone} == {None, "RuntimeError: cannot take -1.0"}
    assert all((row["score"] is None) == (row["a"] is not None and row["a"] < 0) for row in alone)


def test_a_null_elsewhere_costs_a_row_nothing_that_the_model_takes() -> None:
    # Nulls in b are filled, nulls in a are not.
    model = make_pipeline(
        ColumnTransformer([("a", "passthrough", ["a"]), ("b", SimpleImputer(), ["b"])]), LogisticRegression()
    ).fit(frame(X), Y)
    rows = scored(work(model), {"id": [1, 2, 3], "a": [None, 0.1, 0.2], "b": pa.array([0.5, None, 0.5], pa.float32())})
    assert [row["problem"] for row in rows] == ["null in a", None, None]


def test_rows_with_a_null_that_the_model_refuses_cost_no_call_each(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ColumnTransformer([("a", "passthrough", ["a"]), ("b", SimpleImputer(), ["b"])])
    model = make_pipeline(kinds, LogisticRegression()).fit(frame(X), Y)
    asked: list[int] = []
    ask = LogisticRegression.predict_proba

    def counted(self: Any, rows: Any) -> Any:
        asked.append(len(rows))
        return ask(self, rows)

    monkeypatch.setattr(LogisticRegression, "predict_proba", counted)
    null = np.arange(1000) % 3
    batch = {"id": np.arange(1000), "a": pa.array(np.zeros(1000), mask=null == 1)}
    batch["b"] = pa.array(np.ones(1000), pa.float32(), mask=null == 2)
    job = work(model)
    found = [scored(job, batch), scored(job, batch)]
    assert [[row["problem"] for row in rows] for rows in found] == [["null in a" if n == 1 else None for n in null]] * 2
    assert len(asked) < 10
    monkeypatch.setattr(LogisticRegression, "predict_proba", ask)
    assert found[0][:3] == [scored(job, {name: of[at : at + 1] for name, of in batch.items()})[0] for at in range(3)]


def test_a_null_that_only_some_rows_can_have_is_asked_for_in_each() -> None:
    # The project's own function looks at a where b is positive.
    def looks(rows: Any) -> Any:
        return rows.assign(a=rows["a"].where(rows["b"] > 0, 0))

    model = make_pipeline(FunctionTransformer(looks), LogisticRegression()).fit(frame(X), Y)
    rows = scored(work(model), {"id": [1, 2, 3, 4], "a": [0.5, None, None, None], "b": [1.0, 1.0, -1.0, 1.0]})
    assert [row["problem"] for row in rows] == [None, "null in a", None, "null in a"]


def test_a_null_in_text_is_found_out_too() -> None:
    import pandas as pd

    kinds = pd.DataFrame({"kind": ["x", "y"] * 20})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(kinds, [0, 1] * 20)
    batch = {"id": [1, 2, 3, 4], "a": [0.0] * 4, "kind": ["z", None, "y", None]}
    rows = scored(work(model, inputs=(("kind", "string"),)), batch)
    assert [row["problem"] and row["problem"][:12] for row in rows] == [
        "ValueError: ",
        "null in kind",
        None,
        "null in kind",
    ]


def test_an_unknown_category_is_a_bad_row_that_says_what_the_model_said() -> None:
    import pandas as pd

    kinds = pd.DataFrame({"kind": ["x", "y"] * 20})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(kinds, [0, 1] * 20)
    batch = {"id": [1, 2, 3], "a": [0.0] * 3, "kind": ["x", "z", "y"]}
    rows = scored(work(model, inputs=(("kind", "string"),)), batch)
    assert [row["score"] is None for row in rows] == [False, True, False]
    assert rows[1]["problem"].startswith("ValueError: Found unknown categories ['z']")


def test_a_null_in_an_integer_goes_to_a_model_that_fills_it_and_large_integers_stay_exact() -> None:
    large = 2**62 + 1
    model = make_pipeline(SimpleImputer(strategy="constant", fill_value=5), LinearRegression()).fit(frame(X), X[:, 0])
    inputs = (("a", "double"), ("b", "long"))
    batch = {"id": [1, 2], "a": [0.0, 0.1], "b": pa.array([None, large], pa.int64())}
    assert [row["problem"] for row in scored(work(model, "predict", inputs), batch)] == [None, None]
    exact = Taking(lambda frame: (frame["b"].to_numpy() == large) if frame["b"].dtype.kind == "i" else np.zeros(1))
    assert [row["score"] for row in scored(work(exact, "predict", inputs, "other"), batch)] == [0, 1]


def test_decimals_are_numbers() -> None:
    batch = {"id": [1, 2], "a": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)), "b": [0.0, 0.0]}
    assert [row["score"] for row in scored(work(Taking(), "predict"), batch)] == [1.5, 7.0]


def test_columns_of_any_name_come_along_beside_those_that_are_added() -> None:
    names = {"score": "score_", "problem": "problem_"}
    job = replace(work(Taking(), "predict"), keep=("score", "problem", "a.b"), **names)
    (row,) = scored(job, {"score": ["s"], "problem": ["p"], "a.b": [1], "a": [2.0], "b": [0.0]})
    assert row == {"score": "s", "problem": "p", "a.b": 1, "score_": 2.0, "problem_": None, "model_version": 3}


def test_one_column_of_answers_is_one_number_for_each_row() -> None:
    column = Taking(lambda frame: frame[["a"]].to_numpy())
    assert [row["score"] for row in scored(work(column, "predict"), FOUR)] == FOUR["a"]


FOUR = {"id": [1, 2, 3, 4], "a": [1.0, 2.0, 3.0, 4.0], "b": [0.0] * 4}


@pytest.mark.parametrize(
    ("answer", "method", "message"),
    [
        (lambda _: np.zeros(1), "predict", r"shape \(1,\) for 4 rows"),
        (lambda _: 0.5, "predict", r"shape \(\) for 4 rows"),
        (lambda rows: np.zeros((len(rows), 2)), "predict", r"shape \(4, 2\)"),
        (lambda rows: ["late"] * len(rows), "predict", "gave .*late.*, scoring takes numbers"),
        (lambda rows: np.zeros(len(rows)), "predict_proba", r"shape \(4,\)"),
        (lambda rows: [np.zeros((len(rows), 2))] * 3, "predict_proba", r"shape \(4, 3\)"),
        (lambda rows: [np.zeros((len(rows), 3))] * 2, "predict_proba", r"shape \(2, 4, 3\)"),
    ],
)
def test_an_answer_that_is_no_number_for_each_row_ends_the_job(answer: Any, method: str, message: str) -> None:
    model = types.SimpleNamespace(**{method: answer})
    job = work(LinearRegression(), method)
    _kept(job, model)
    with pytest.raises(RuntimeError, match=f"{FAILED}.*WrongAnswer.*{message}"):
        scored(job, FOUR)


def _kept(work: Work, model: Any) -> None:
    """Puts a model where a worker keeps the one it loaded."""
    module = types.ModuleType("_sparkml_scoring")
    module.model, module.key = model, work.key  # type: ignore[attr-defined]
    sys.modules["_sparkml_scoring"] = module


def test_a_model_whose_library_is_missing_ends_the_job() -> None:
    job = replace(work(LinearRegression()), blob=b"cnowhere_to_be_found\nModel\n.")
    with pytest.raises(RuntimeError, match=r"ModuleNotFoundError.*nowhere_to_be_found"):
        scored(job, FOUR)


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
    with by_value():
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
