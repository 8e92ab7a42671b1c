"""Running means without rounding on the way: sums of doubles as whole numbers.

Every finite double is a whole multiple of 2**-1074, so a sum of them is a whole number in that unit, which Python adds
and subtracts exactly; the one division at the end is rounded as IEEE 754 asks. Runs in Spark's Python workers, sent by
value: it needs pyarrow there, and nothing here may refer to another module of the package.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

__all__ = ["ExactMeans", "RunningSum"]

#: The unit of the sums is two to the power of minus this, the smallest double.
_UNIT = 1074


class RunningSum:
    """The sum and mean of values that come and go."""

    __slots__ = ("_count", "_nan", "_negative", "_positive", "_sum")

    def __init__(self) -> None:
        self._sum = self._count = self._nan = self._positive = self._negative = 0

    def add(self, value: float, sign: int = 1) -> None:
        """Takes a value, or with the sign -1 takes it away again."""
        self._count += sign
        if math.isfinite(value):
            above, below = value.as_integer_ratio()
            self._sum += sign * above << (_UNIT - below.bit_length() + 1)
        elif math.isnan(value):
            self._nan += sign
        elif value > 0:
            self._positive += sign
        else:
            self._negative += sign

    @property
    def mean(self) -> float | None:
        """Of the values that are there; None without any, nan and infinities as IEEE 754 adds them."""
        if not self._count:
            return None
        if self._nan or (self._positive and self._negative):
            return math.nan
        if self._positive or self._negative:
            return math.inf if self._positive else -math.inf
        return self._sum / (self._count << _UNIT)


@dataclass(frozen=True)
class ExactMeans:
    """For ``DataFrame.mapInArrow``: adds the mean of each column in each window.

    It takes batches in the order of keys and time, with ``_first`` (whether a row is the first of its key) and
    ``_moves``: a list of structs of the window that values leave (``_w``; -1: they enter all), and the values ``_v0``
    and so on, null for none. It gives the batches without these two, and with the means, null where a window has no
    value.

    Attributes:
        columns: how many.
        windows: how many.
    """

    columns: int
    windows: int

    @property
    def names(self) -> list[str]:
        """Of the columns that are added, "_x<column>_<window>"."""
        return [f"_x{column}_{window}" for column in range(self.columns) for window in range(self.windows)]

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """What Spark calls, once for each partition."""
        import pyarrow as pa

        sums = self._empty()
        for batch in batches:
            rows: list[list[float | None]] = []
            for first, moves in zip(batch["_first"].to_pylist(), batch["_moves"].to_pylist(), strict=True):
                sums = self._empty() if first else sums
                for move in moves:
                    self._apply(sums, move)
                rows.append([one.mean for one in chain.from_iterable(sums)])
            kept = [name for name in batch.schema.names if name not in ("_first", "_moves")]
            means = [pa.array([row[place] for row in rows], pa.float64()) for place in range(len(self.names))]
            yield pa.RecordBatch.from_arrays([*(batch[name] for name in kept), *means], names=[*kept, *self.names])

    def _empty(self) -> list[list[RunningSum]]:
        return [[RunningSum() for _ in range(self.windows)] for _ in range(self.columns)]

    def _apply(self, sums: list[list[RunningSum]], move: Any) -> None:
        window = move["_w"]
        for column, of_windows in enumerate(sums):
            value = move[f"_v{column}"]
            if value is None:
                continue
            if window >= 0:
                of_windows[window].add(value, -1)
            else:
                for one in of_windows:
                    one.add(value)
