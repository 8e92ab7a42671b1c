"""Asking a model: what becomes of a row depends on that row alone, as in batch scoring.

Where a model raises on some rows, it is asked again for fewer and fewer, until those that it takes have their
predictions and each of the others has its problem. Rows with a null are asked for apart, because numpy's whole numbers
and booleans become floats there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sparkml_track.serving.protocol.answers import plain_rows

__all__ = ["NO_NUMBER", "Answered", "Call", "Question", "ask"]

#: A model's method with its params bound: a pandas data frame in, anything with one item for each row out.
Call: TypeAlias = Callable[[Any], Any]
_MOST_TEXT = 300
#: The problem of a row for which a model gives something else than finite numbers.
NO_NUMBER = "the model gave no number"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of rows, one item for each.

    Attributes:
        values: as the model gave them, as JSON has them; None in a bad row.
        scores: one number or a list of numbers; None in a bad row, and where the model gives something else.
        problems: why there is no score; None in a good row.
    """

    values: list[object] = field(default_factory=list)
    scores: list[object] = field(default_factory=list)
    problems: list[str | None] = field(default_factory=list)

    @classmethod
    def of(cls, rows: int) -> Answered:
        """Of rows that were not asked for yet."""
        return cls([None] * rows, [None] * rows, [None] * rows)


@dataclass(frozen=True, slots=True)
class Question:
    """Rows as a model takes them.

    Attributes:
        frame: a pandas data frame of the columns, in order.
        holes: for each row the last column that is null; None for none.
        infinite: for each row the last column that is infinite; it is not asked for.
        dtypes: of the columns in rows without nulls.
    """

    frame: Any
    holes: Sequence[str | None]
    infinite: Sequence[str | None]
    dtypes: Mapping[str, Any] = field(default_factory=dict)

    def exact(self, rows: Sequence[int]) -> Any:
        """Rows without nulls, in the types of the signature."""
        some = self.frame.iloc[rows]
        return some.astype({name: kind for name, kind in self.dtypes.items() if some[name].dtype != kind})


def ask(call: Call, method: str, question: Question) -> Answered:
    """Asks for all rows of a question.

    Args:
        call: the model's method.
        method: its name; of "predict_proba" with two classes the score is the probability of the second.
        question: what to ask.
    """
    frame, holes, infinite = question.frame, question.holes, question.infinite
    made = Answered.of(len(frame))
    if not any(holes) and not any(infinite):
        _ask_all(call, method, frame, list(range(len(frame))), made)
        return made
    for row, name in enumerate(infinite):
        if name is not None:
            made.problems[row] = f"infinite {name}"
    whole = [row for row in range(len(frame)) if not infinite[row] and not holes[row]]
    holed = [row for row in range(len(frame)) if not infinite[row] and holes[row]]
    if whole:
        _ask_all(call, method, question.exact(whole), whole, made)
    if holed:
        _ask_all(call, method, frame.iloc[holed], holed, made)
    for row in holed:
        # A model that takes no null says so in its own words.
        if made.problems[row] is not None and made.problems[row] != NO_NUMBER:
            made.problems[row] = f"null in {holes[row]}"
    return made


def _ask_all(call: Call, method: str, frame: Any, rows: list[int], made: Answered) -> None:
    """Asks for all rows, then for fewer where the model raises, then for more again."""
    start, size = 0, len(rows)
    while start < len(rows):
        now = rows[start : start + size]
        try:
            answer = call(frame if len(now) == len(frame) else frame.iloc[start : start + size])
            _keep(answer, method, now, made)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 -- a model may raise anything about a row
            if len(now) > 1:
                size = len(now) // 2
                continue
            lines = str(error).strip().splitlines()
            made.problems[now[0]] = f"{type(error).__name__}: {lines[0] if lines else ''}"[:_MOST_TEXT]
            start += 1
            continue
        start, size = start + len(now), size * 2


def _keep(answer: Any, method: str, rows: list[int], made: Answered) -> None:
    pairs = _pairs(answer, method, len(rows))
    values = plain_rows(answer if pairs is None else pairs, len(rows))
    for row, value in zip(rows, values, strict=True):
        # Of several outputs each is one number already.
        score = _score(value, method if pairs is None else "predict")
        made.values[row], made.scores[row] = value, score
        if score is None:
            made.problems[row] = NO_NUMBER


def _pairs(answer: Any, method: str, rows: int) -> Any:
    """Of several outputs of two classes the probability of the second, a column for each; None for one output."""
    import numpy as np

    if method != "predict_proba" or not isinstance(answer, list):
        return None
    if all(getattr(each, "shape", None) == (rows, 2) for each in answer):
        return np.stack([each[:, 1] for each in answer], axis=1)
    return None


def _score(value: object, method: str) -> object:
    """What the tables have of a value: a number or several, else None."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, list):
        if (len(value) == 2 and method == "predict_proba") or len(value) == 1:
            return _number(value[-1])
        numbers = [_number(each) for each in value]
        return None if None in numbers or not numbers else numbers
    return _number(value)


def _number(value: object) -> float | None:
    if isinstance(value, int | float):
        made = float(value)
        return made if math.isfinite(made) else None
    return None
