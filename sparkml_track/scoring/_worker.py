"""What a Spark Python worker does. Sent by value: it needs numpy, pandas, pyarrow and the model's own library there.

Nothing here may refer to another module of the package, at import time or later.

What becomes of a row depends on that row alone. Where a model raises on some rows, they are asked again in fewer and
fewer until those that it takes have their scores and each of the others has its problem.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

__all__ = ["FAILED", "Work", "WrongAnswer", "score_batches"]

_KEPT = "_sparkml_scoring"
_MOST_TEXT = 300  # characters of a problem
#: Begins what a worker says when the job cannot go on; JSON follows.
FAILED = "sparkml scoring failed: "


class WrongAnswer(Exception):
    """The model gives something else than one number for each row, so no row can be scored."""


@dataclass(frozen=True)
class Work:
    """What all batches of a job share.

    Attributes:
        blob: the pickled model, from the driver of this same job.
        key: names it; a worker that already has this model does not load it again.
        method: "predict_proba" or "predict".
        inputs: names and types of the columns the model takes, in order.
        columns: names of the columns of a batch, in order.
        keep: those that are carried over.
        score: name of the column of scores.
        problem: name of the column of problems.
        constants: names of the last columns to Arrow scalars, the same in each row.
    """

    blob: bytes
    key: str
    method: str
    inputs: Sequence[tuple[str, str]]
    columns: Sequence[str]
    keep: Sequence[str]
    constants: Mapping[str, Any]
    score: str = "score"
    problem: str = "problem"


def score_batches(work: Work, batches: Iterator[Any]) -> Iterator[Any]:
    """Arrow batches in, the same rows with scores out."""
    import pyarrow as pa

    for batch in batches:
        try:
            yield _scored(work, pa.RecordBatch.from_arrays(batch.columns, list(work.columns)))
        except Exception as error:
            # The traceback that Spark passes on is text in which a message looks like a line of code.
            said = json.dumps({"error": type(error).__name__, "message": str(error)})
            raise RuntimeError(FAILED + said) from error


def _scored(work: Work, batch: Any) -> Any:
    import pyarrow as pa

    score, problem = _score(work, batch)
    columns = {name: batch.column(name) for name in work.keep}
    columns[work.score] = pa.array(score, pa.float64(), mask=problem != "")
    columns[work.problem] = pa.array(problem, pa.string(), mask=problem == "")
    columns |= {name: pa.repeat(value, batch.num_rows) for name, value in work.constants.items()}
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _score(work: Work, batch: Any) -> tuple[Any, Any]:
    """Scores and problems of a batch; a row has one of them."""
    import numpy as np
    import pandas as pd

    score = np.full(batch.num_rows, np.nan)
    problem = np.full(batch.num_rows, "", dtype=object)
    holes = np.full(batch.num_rows, "", dtype=object)
    values, missing = {}, {}
    for name, kind in work.inputs:
        values[name], missing[name] = _column(batch.column(name), kind)
        holes[missing[name]] = name
        if kind in {"float", "double"}:
            problem[np.isinf(values[name])] = f"infinite {name}"
    model = _model(work)
    for rows, frame in _frames(work, pd.DataFrame(values, copy=False), missing, problem == "", holes != ""):
        _ask_all(work, model, rows, frame, score, problem)
    # A model that takes no null says so in its own words.
    failed = (problem != "") & (holes != "") & ~np.char.startswith(problem.astype(str), "infinite ")
    problem[failed] = np.char.add("null in ", holes[failed].astype(str))
    problem[(problem == "") & ~np.isfinite(score)] = "the model gave no number"
    return score, problem


def _frames(work: Work, frame: Any, missing: Mapping[str, Any], good: Any, holes: Any) -> Iterator[tuple[Any, Any]]:
    """Row numbers and input of the rows without a null; then of those with one, where whole numbers become floats."""
    rows = (good & ~holes).nonzero()[0]
    yield rows, frame.iloc[rows]
    rows = (good & holes).nonzero()[0]
    some = frame.iloc[rows].copy()
    for name, kind in work.inputs:
        if kind not in {"float", "double", "string"}:
            # numpy's whole numbers and booleans have no null.
            some[name] = some[name].astype("float64").mask(missing[name][rows])
    yield rows, some


def _ask_all(work: Work, model: Any, rows: Any, frame: Any, score: Any, problem: Any) -> None:
    """Asks for all rows, then for fewer where the model raises, then for more again."""
    start, size = 0, len(rows)
    while start < len(rows):
        now = rows[start : start + size]
        try:
            score[now] = _ask(work, model, frame.iloc[start : start + size])
        except (WrongAnswer, ImportError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 -- a model may raise anything about a row
            if len(now) > 1:
                size = len(now) // 2
                continue
            lines = str(error).strip().splitlines()
            problem[now] = f"{type(error).__name__}: {lines[0] if lines else ''}"[:_MOST_TEXT]
        start, size = start + len(now), size * 2


def _ask(work: Work, model: Any, frame: Any) -> Any:
    """One number for each row."""
    import numpy as np

    answer = np.asarray(getattr(model, work.method)(frame))
    rows = len(frame)
    shapes = [(rows, 2)] if work.method == "predict_proba" else [(rows,), (rows, 1)]
    if answer.shape not in shapes:
        raise WrongAnswer(
            f"{work.method} gave an answer of shape {answer.shape} for {rows} rows, scoring takes "
            + " or ".join(map(str, shapes))
        )
    numbers = answer[:, 1] if work.method == "predict_proba" else answer.reshape(rows)
    try:
        return numbers.astype("float64")
    except (TypeError, ValueError) as error:
        raise WrongAnswer(
            f"{work.method} gave {numbers[0]!r:.80}, scoring takes numbers; register the model with predict_proba"
        ) from error


def _model(work: Work) -> Any:
    """The model, loaded once in each worker process and kept while the same one is asked for."""
    # A module of its own, because functions sent by value get new globals in each task.
    kept = sys.modules.setdefault(_KEPT, ModuleType(_KEPT))
    if getattr(kept, "key", None) != work.key:
        kept.model = pickle.loads(work.blob)  # type: ignore[attr-defined]  # noqa: S301
        kept.key = work.key  # type: ignore[attr-defined]
    return kept.model


def _column(array: Any, kind: str) -> tuple[Any, Any]:
    """A column in the type the model takes, and where it was null or nan."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    missing = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    if kind == "string":
        return array.to_numpy(zero_copy_only=False), missing
    types = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
    # Filled, because numpy's integers have no null; such a row is asked for with floats.
    filled = array.fill_null(False if str(array.type) == "bool" else 0)
    with np.errstate(over="ignore"):
        values = filled.to_numpy(zero_copy_only=False).astype(types[kind])
    if kind in {"float", "double"}:
        values = np.where(missing, np.asarray(np.nan, values.dtype), values)
    return values, missing
