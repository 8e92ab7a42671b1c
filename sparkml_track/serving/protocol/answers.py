"""What a model gave for rows, as JSON: one value for each row, null for not-a-number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

__all__ = ["plain_rows", "plain_value"]


def plain_rows(answer: Any, rows: int) -> list[object]:
    """One JSON value for each row.

    Args:
        answer: an array, a data frame (its rows become objects), a series or a list.
        rows: how many there must be.

    Raises:
        ValueError: it has another number of rows.
    """
    import numpy as np

    if hasattr(answer, "columns") and hasattr(answer, "to_dict"):
        answer = answer.to_dict("records")
    elif hasattr(answer, "to_numpy"):
        answer = answer.to_numpy()
    found = _array(answer) if isinstance(answer, np.ndarray) else [plain_value(each) for each in answer]
    if len(found) != rows:
        raise ValueError(f"the model gave {len(found)} values for {rows} rows")
    return found


def _array(values: Any) -> list[object]:
    import numpy as np

    if values.ndim == 0:
        return []
    if values.dtype.kind in "iub":
        return list(values.tolist())
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        whole: Any = values if finite.all() else np.where(finite, values.astype(object), None)
        return list(whole.tolist())
    return [plain_value(each) for each in values.tolist()]


def plain_value(value: Any) -> object:
    """A value as JSON has it; what JSON does not have is text."""
    listed: Any = getattr(value, "tolist", None)  # of numpy's
    if listed is not None:
        value = listed()
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date():
            return None if value != value else value.isoformat()  # pandas' missing time
        case Mapping():
            return {str(key): plain_value(each) for key, each in value.items()}
        case Sequence() if not isinstance(value, bytes):
            return [plain_value(each) for each in value]
    return None if value != value else str(value)
