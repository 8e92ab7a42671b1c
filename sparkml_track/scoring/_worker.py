"""What a Spark Python worker does. Sent by value: it needs numpy, pandas, pyarrow and the model's own library there.

Nothing here may refer to another module of the package, at import time or later.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

__all__ = ["Work", "score_batches"]

_KEPT = "_sparkml_scoring"


@dataclass(frozen=True)
class Work:
    """What all batches of a job share.

    Attributes:
        blob: the pickled model, from the driver of this same job.
        key: names it; a worker that already has this model does not load it again.
        method: "predict_proba" or "predict".
        inputs: names and types of the columns the model takes, in order.
        keep: columns carried over.
        constants: names of the last columns to Arrow scalars, the same in each row.
    """

    blob: bytes
    key: str
    method: str
    inputs: Sequence[tuple[str, str]]
    keep: Sequence[str]
    constants: Mapping[str, Any]


def score_batches(work: Work, batches: Iterator[Any]) -> Iterator[Any]:
    """Arrow batches in, the same rows with scores out."""
    import pyarrow as pa

    for batch in batches:
        score, problem = _score(work, batch)
        columns = {name: batch.column(name) for name in work.keep}
        columns["score"] = pa.array(score, pa.float64(), mask=problem != "")
        columns["problem"] = pa.array(problem, pa.string(), mask=problem == "")
        columns |= {name: pa.repeat(value, batch.num_rows) for name, value in work.constants.items()}
        yield pa.RecordBatch.from_pydict(columns)


def _score(work: Work, batch: Any) -> tuple[Any, Any]:
    """Scores and problems of a batch; a row has one of them."""
    import numpy as np

    frame, problem, holes = _frame(work, batch)
    score = np.full(batch.num_rows, np.nan)
    good = problem == ""
    try:
        score[good] = _ask(work, frame[good])
    except ValueError:
        # Most often a null that this model does not take. The rows without any must do; if not, the job fails.
        problem[good & (holes != "")] = np.char.add("null in ", holes[good & (holes != "")].astype(str))
        good = problem == ""
        score[good] = _ask(work, frame[good])
    problem[good & ~np.isfinite(score)] = "the model gave no number"
    return score, problem


def _ask(work: Work, frame: Any) -> Any:
    import numpy as np

    if not len(frame):
        return np.empty(0)
    answer = np.asarray(getattr(_model(work), work.method)(frame))
    return answer[:, 1] if work.method == "predict_proba" else answer


def _model(work: Work) -> Any:
    """The model, loaded once in each worker process and kept while the same one is asked for."""
    # A module of its own, because functions sent by value get new globals in each task.
    kept = sys.modules.setdefault(_KEPT, ModuleType(_KEPT))
    if getattr(kept, "key", None) != work.key:
        kept.model = pickle.loads(work.blob)  # type: ignore[attr-defined]  # noqa: S301
        kept.key = work.key  # type: ignore[attr-defined]
    return kept.model


def _frame(work: Work, batch: Any) -> tuple[Any, Any, Any]:
    """The model's input, the problem of each row, and the name of a column that is null in it."""
    import numpy as np
    import pandas as pd

    problem = np.full(batch.num_rows, "", dtype=object)
    holes = np.full(batch.num_rows, "", dtype=object)
    columns = {}
    for name, kind in work.inputs:
        values, missing = _column(batch.column(name), kind)
        holes[missing] = name
        if kind in {"float", "double"}:
            problem[np.isinf(values)] = f"infinite {name}"
        elif kind != "string":
            problem[missing] = f"null in {name}"
        columns[name] = values
    return pd.DataFrame(columns, copy=False), problem, holes


def _column(array: Any, kind: str) -> tuple[Any, Any]:
    """A column in the type the model takes, and where it was null or nan."""
    import numpy as np

    missing = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    if kind == "string":
        return array.to_numpy(zero_copy_only=False), missing
    types = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
    # Filled, because numpy's integers have no null: such a row gets a problem and its value is not looked at.
    filled = array.fill_null(False if str(array.type) == "bool" else 0)
    with np.errstate(over="ignore"):
        values = filled.to_numpy(zero_copy_only=False).astype(types[kind])
    if kind in {"float", "double"}:
        values = np.where(missing, np.asarray(np.nan, values.dtype), values)
    return values, missing
