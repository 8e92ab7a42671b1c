"""What becomes of rows: the same as in batch scoring."""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from sparkml_track.scoring._worker import Work, score_batches
from sparkml_track.serving.models.asking import NO_NUMBER, Question, ask
from sparkml_track.serving.protocol.columns import Input, typed

VALUES: dict[str, list[Any]] = {"wind": [0.5, None, -1.0, np.inf, 0.25], "seats": [3, 4, None, 5, 200]}
INPUTS = (Input("wind", "double"), Input("seats", "long"))


def fitted(model: Any) -> Any:
    random = np.random.default_rng(1)
    data = pd.DataFrame({"wind": random.normal(size=80), "seats": random.integers(0, 300, 80)})
    return model.fit(data, (data["wind"] > 0).astype(int))


def several(values: dict[str, list[Any]]) -> Question:
    found = typed(values, len(values["wind"]), INPUTS, is_text=False)
    return Question(pd.DataFrame(found.arrays), found.holes, found.infinite, {"seats": "int64"})


def batch(model: Any, method: str) -> tuple[list[object], list[object]]:
    """Scores and problems as batch scoring has them."""
    blob = pickle.dumps(model)
    kinds = [(each.name, each.kind) for each in INPUTS]
    work = Work(blob, hashlib.sha256(blob).hexdigest(), method, kinds, list(VALUES), (), {})
    arrow = pa.RecordBatch.from_pydict({"wind": pa.array(VALUES["wind"], pa.float64()), "seats": VALUES["seats"]})
    table = pa.Table.from_batches(list(score_batches(work, iter([arrow]))))
    return table["score"].to_pylist(), table["problem"].to_pylist()


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (LogisticRegression(), "predict_proba"),
        (HistGradientBoostingClassifier(max_iter=5), "predict_proba"),
        (LinearRegression(), "predict"),
    ],
)
def test_scores_and_problems_are_those_of_batch_scoring(model: Any, method: str) -> None:
    model = fitted(model)
    answered = ask(getattr(model, method), method, several(VALUES))
    scores, problems = batch(model, method)
    assert answered.problems == problems
    assert answered.scores == pytest.approx(scores)


def test_a_row_that_the_model_refuses_costs_no_other_row() -> None:
    def call(frame: pd.DataFrame) -> object:
        if (frame["seats"] == 4).any():
            raise ValueError("no four\nmore")
        return frame["seats"].to_numpy()

    answered = ask(call, "predict", several({"wind": [0.0] * 9, "seats": [1, 2, 3, 4, 5, 6, 7, 4, 9]}))
    assert answered.values == [1, 2, 3, None, 5, 6, 7, None, 9]
    assert answered.problems[3] == answered.problems[7] == "ValueError: no four"


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (lambda frame: frame["seats"].to_numpy(), 3.0),
        (lambda frame: frame[["seats"]], 3.0),
        (lambda frame: frame[["seats", "wind"]].to_numpy(), [3.0, 0.5]),
        (lambda frame: ["late"] * len(frame), None),
        (lambda frame: frame["seats"] * np.nan, None),
    ],
)
def test_a_score_is_one_number_or_several(answer: Any, score: object) -> None:
    answered = ask(answer, "predict", several({"wind": [0.5], "seats": [3]}))
    assert answered.scores == [score]
    assert answered.problems == [None if score is not None else NO_NUMBER]


def test_several_outputs_of_two_classes_are_the_probabilities_of_the_second() -> None:
    answer = [np.array([[0.25, 0.75]]), np.array([[0.5, 0.5]])]
    answered = ask(lambda frame: answer, "predict_proba", several({"wind": [0.5], "seats": [3]}))
    assert answered.values == answered.scores == [[0.75, 0.5]]


def test_a_model_with_another_number_of_rows_gives_each_its_problem() -> None:
    answered = ask(lambda frame: np.zeros(7), "predict", several({"wind": [0.5, 1.0], "seats": [3, 4]}))
    assert answered.problems == ["ValueError: the model gave 7 values for 1 rows"] * 2
