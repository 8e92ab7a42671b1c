"""What a Spark Python worker does. Sent by value: it needs numpy, pandas, pyarrow and the model's own library there.

Nothing here may refer to another module of the package, at import time or later.

What becomes of a row depends on that row alone. Where a model raises on some rows, they are asked again in fewer and
fewer until those that it takes have their scores and each of the others has its problem. That costs a call for each bad
row. So where a model refuses a null in a column whatever else is in a row, which can be known of scikit-learn's own
estimators, it is asked that once, and not again for each such row.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

__all__ = ["FAILED", "Work", "WrongAnswer", "score_batches", "width_of"]

_KEPT = "_sparkml_scoring"
_MOST_TEXT = 300  # characters of a problem
_BASES = 3  # rows that a model is asked for alone, with a null in one column after the other
#: Begins what a worker says when the job cannot go on; JSON follows.
FAILED = "sparkml scoring failed: "


class WrongAnswer(Exception):
    """The model gives something else than its numbers for each row, so no row can be scored."""


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
        width: numbers of a score; more than one are a list.
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
    width: int = 1


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
    columns[work.score] = _lists(score, problem != "") if work.width > 1 else pa.array(score, mask=problem != "")
    columns[work.problem] = pa.array(problem, pa.string(), mask=problem == "")
    columns |= {name: pa.repeat(value, batch.num_rows) for name, value in work.constants.items()}
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _lists(score: Any, missing: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    ends = np.arange(0, score.size + 1, score.shape[1], dtype="int32")
    return pa.ListArray.from_arrays(ends, score.reshape(-1), mask=pa.array(missing))


def _score(work: Work, batch: Any) -> tuple[Any, Any]:
    """Scores and problems of a batch; a row has one of them."""
    import numpy as np
    import pandas as pd

    score = np.full((batch.num_rows, work.width) if work.width > 1 else batch.num_rows, np.nan)
    problem = np.full(batch.num_rows, "", dtype=object)
    holes = np.full(batch.num_rows, "", dtype=object)
    values, missing = {}, {}
    for name, kind in work.inputs:
        values[name], missing[name] = _column(batch.column(name), kind)
        holes[missing[name]] = name
        if kind in {"float", "double"}:
            problem[np.isinf(values[name])] = f"infinite {name}"
    model, frame = _model(work), pd.DataFrame(values, copy=False)
    rows = ((problem == "") & (holes == "")).nonzero()[0]
    _ask_all(work, model, rows, frame.iloc[rows], score, problem)
    rows, without = ((problem == "") & (holes != "")).nonzero()[0], rows
    some = _with_nulls(work, frame, missing, rows)
    refused = _refused(work, model, pd.concat([frame.iloc[without[:_BASES]].astype(some.dtypes), some]))
    bad = np.logical_or.reduce([np.zeros(len(rows), bool), *(missing[name][rows] for name in refused)])
    problem[rows[bad]] = "null"
    _ask_all(work, model, rows[~bad], some[~bad], score, problem)
    # A model that takes no null says so in its own words.
    failed = (problem != "") & (holes != "") & ~np.char.startswith(problem.astype(str), "infinite ")
    problem[failed] = np.char.add("null in ", holes[failed].astype(str))
    finite = np.isfinite(score).reshape(batch.num_rows, work.width).all(axis=1)
    problem[(problem == "") & ~finite] = "the model gave no number"
    return score, problem


def _with_nulls(work: Work, frame: Any, missing: Mapping[str, Any], rows: Any) -> Any:
    """The input of the rows with a null, where whole numbers become floats: numpy's, and booleans, have no null."""
    some = frame.iloc[rows].copy()
    for name, kind in work.inputs:
        if kind not in {"float", "double", "string"}:
            some[name] = some[name].astype("float64").mask(missing[name][rows])
    return some


def _refused(work: Work, model: Any, frame: Any) -> list[str]:
    """The inputs of which the model takes no null, as far as that is known.

    Found out by a row that it takes: with a null in one column after the other. Kept with the model.

    Args:
        work: of the job.
        model: as loaded.
        frame: rows, with and without nulls, in types that have one.
    """
    known: dict[str, bool] = vars(sys.modules[_KEPT]).setdefault("refused", {})
    new = [name for name, _ in work.inputs if name not in known and frame[name].isna().any()]
    base: Any = _taken_row(work, model, frame) if new and _refuses_by_column(model) else None
    if base is not None:
        nulls = {name: base.assign(**{name: [None]}).astype(base.dtypes) for name in new}
        known |= {name: not _takes(work, model, row) for name, row in nulls.items()}
    return [name for name, refused in known.items() if refused]


def _taken_row(work: Work, model: Any, frame: Any) -> Any:
    """One of the first rows, with any values for its nulls, that the model takes; None if it takes none of them."""
    kinds = dict(work.inputs)
    first = frame.iloc[: 2 * _BASES]
    filled = first.assign(**{name: first[name].fillna("" if kinds[name] == "string" else 0) for name in first})
    rows = (filled.iloc[place : place + 1] for place in range(len(filled)))
    return next((row for row in rows if _takes(work, model, row)), None)


def _takes(work: Work, model: Any, row: Any) -> bool:
    try:
        _ask(work, model, row)
    except (WrongAnswer, ImportError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 -- a model may raise anything about a row
        return False
    return True


def _refuses_by_column(model: Any) -> bool:
    """Whether a null that the model refuses in one row is refused in each: it is made of scikit-learn's own parts."""
    params = getattr(model, "get_params", None)
    return params is not None and all(map(_is_plain, [model, *params(deep=True).values()]))


def _is_plain(part: Any) -> bool:
    """Whether a part of a model is an estimator of scikit-learn, or no code of anybody else's."""
    if hasattr(part, "get_params"):
        return type(part).__module__.partition(".")[0] == "sklearn"
    return not callable(part) or isinstance(part, type) or type(part).__name__ == "ufunc"


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
            start += 1  # the next one may be as bad
            continue
        start, size = start + len(now), size * 2


def width_of(answer: Any) -> int:
    """How many numbers a prediction has for each row."""
    import numpy as np

    shape = np.asarray(answer).shape
    return int(shape[1]) if len(shape) == 2 else 1


def _ask(work: Work, model: Any, frame: Any) -> Any:
    """The numbers of each row."""
    import numpy as np

    answer, rows, proba = getattr(model, work.method)(frame), len(frame), work.method == "predict_proba"
    if proba and isinstance(answer, list):  # one of two columns for each output
        answer = np.stack([each[:, 1] for each in answer], axis=1) if _are_pairs(answer, rows) else np.asarray(answer)
    answer = np.asarray(answer)
    one = [(rows, 2)] if proba else [(rows,), (rows, 1)]
    shapes = one if work.width == 1 else [(rows, work.width)]
    if answer.shape not in shapes:
        raise WrongAnswer(
            f"{work.method} gave an answer of shape {answer.shape} for {rows} rows, scoring takes "
            + " or ".join(map(str, shapes))
        )
    numbers = answer if work.width > 1 else answer[:, 1] if proba else answer.reshape(rows)
    try:
        return numbers.astype("float64")
    except (TypeError, ValueError) as error:
        raise WrongAnswer(
            f"{work.method} gave {numbers[0]!r:.80}, scoring takes numbers; register the model with predict_proba"
        ) from error


def _are_pairs(answers: list[Any], rows: int) -> bool:
    return all(getattr(each, "shape", None) == (rows, 2) for each in answers)


def _model(work: Work) -> Any:
    """The model, loaded once in each worker process and kept while the same one is asked for."""
    # A module of its own, because functions sent by value get new globals in each task.
    kept = sys.modules.setdefault(_KEPT, ModuleType(_KEPT))
    if getattr(kept, "key", None) != work.key:
        kept.model = pickle.loads(work.blob)  # type: ignore[attr-defined]  # noqa: S301
        kept.key, kept.refused = work.key, {}  # type: ignore[attr-defined]
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
