"""What a point-in-time join is asked for, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sparkml_track.errors import DataError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Asof", "Side", "check_join"]


@dataclass(frozen=True, slots=True)
class Asof:
    """How rows find their feature row.

    Attributes:
        keys: column of the rows to key column of the features, same types.
        outputs: name in the result to column of the features.
        time: column of the rows: only what was known then counts. Exactly then counts as known.
        feature_time: timestamp column of the features.
        created: column of the features that orders rows of the same key and timestamp; the later one holds.
        lookback: features older than this are as if they were not there; None for any age.
    """

    keys: Mapping[str, str]
    outputs: Mapping[str, str]
    time: str
    feature_time: str
    created: str | None = None
    lookback: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """Features that rows look up.

    Attributes:
        features: unique by keys, timestamp and ``created``; none of them null.
        how: see ``Asof``; sides that are joined together have the same columns of the rows as keys and time.
    """

    features: DataFrame
    how: Asof


def check_join(
    rows: DataFrame,
    features: DataFrame,
    keys: Mapping[str, str],
    outputs: Mapping[str, str],
    times: Mapping[str, str],
    taken: Sequence[str] = (),
) -> None:
    """Refuse a join whose columns do not fit.

    Args:
        rows: that look up.
        features: what is looked up.
        keys: column of the rows to key column of the features.
        outputs: name in the result to column of the features.
        times: column of the rows to timestamp of the features.
        taken: names that look-ups before this one add to the rows.

    Raises:
        DataError: all problems at once.
    """
    left, right = dict(rows.dtypes), dict(features.dtypes)
    pairs = {**keys, **times}
    problems = [f"the rows have no column {column!r}" for column in pairs if column not in left]
    asked = dict.fromkeys([*pairs.values(), *outputs.values()])
    problems += [f"the features have no column {column!r}" for column in asked if column not in right]
    problems += [
        f"{one!r} is {left[one]} and {other!r} is {right[other]}: make them the same"
        for one, other in pairs.items()
        if one in left and other in right and left[one] != right[other]
    ]
    problems += _clashes([*left, *taken], outputs)
    if problems:
        raise DataError(
            "; ".join(problems) + f". The rows have {', '.join([*left, *taken])}; the features {', '.join(right)}"
        )


def _clashes(left: Iterable[str], outputs: Iterable[str]) -> Iterator[str]:
    """Names that a result would have twice; case does not count, for Spark as for tables."""
    taken = {name.lower(): name for name in left}
    for name in outputs:
        if name.lower() in taken:
            yield f"the rows have a column {taken[name.lower()]!r} already: rename the output {name!r}"
        taken[name.lower()] = name
