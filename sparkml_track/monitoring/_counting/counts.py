"""The counts of a job: the pass over all rows, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.monitoring._counting import places, slots, sums, worker
from sparkml_track.monitoring._counting.places import Cuts
from sparkml_track.monitoring._counting.rows import Prepared, translated
from sparkml_track.monitoring._counting.windows import Window, name_windows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["EVERYTHING", "Counted", "Part", "Slice", "Sums", "Window", "count", "counted"]

_INFINITE = float("inf")


class Slice(NamedTuple):
    """Some of the rows of a window.

    Attributes:
        key: a column, or the name of a condition; None for all rows.
        value: of the column as text, or "true".
    """

    key: str | None
    value: str | None

    @property
    def columns(self) -> dict[str, Any]:
        """As the tables have it."""
        return {"slice_key": self.key, "slice_value": self.value}


#: All rows.
EVERYTHING = Slice(None, None)


@dataclass(frozen=True, slots=True)
class Sums:
    """What was counted of one column in one window.

    Attributes:
        totals: by slot, from ``-slots.HEAD``.
        lows: least finite value of each slot, inf if there is none.
        highs: most finite value of each, -inf if there is none.
        sums: of the finite values of each slot, each less the shift of the column.
        scored: rows of each slot with a score; of all rows of a window alone, not of a slice.
        scores: the sum of their scores.
        registers: of HyperLogLog, over values without a bin of their own; -inf where there is none.
    """

    totals: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    sums: NDArray[np.float64]
    scored: NDArray[np.float64]
    scores: NDArray[np.float64]
    registers: NDArray[np.float64]

    @classmethod
    def empty(cls, bins: int) -> Sums:
        """Nothing counted."""
        size = slots.HEAD + bins
        lows, highs = np.full(size, _INFINITE), np.full(size, -_INFINITE)
        registers = np.full(slots.REGISTERS, -_INFINITE)
        return cls(np.zeros(size), lows, highs, np.zeros(size), np.zeros(size), np.zeros(size), registers)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.totals + other.totals,
            np.minimum(self.lows, other.lows),
            np.maximum(self.highs, other.highs),
            self.sums + other.sums,
            self.scored + other.scored,
            self.scores + other.scores,
            np.maximum(self.registers, other.registers),
        )

    @property
    def bins(self) -> NDArray[np.float64]:
        """Counts."""
        return self.totals[slots.HEAD :]

    def total(self, slot: int) -> float:
        """The sum in a slot."""
        return float(self.totals[slot + slots.HEAD])

    def range(self, slot: int) -> tuple[float, float]:
        """The least and the most value of a slot."""
        return float(self.lows[slot + slots.HEAD]), float(self.highs[slot + slots.HEAD])


@dataclass(frozen=True, slots=True)
class Part:
    """The counts of one slice.

    Attributes:
        windows: window to column to sums.
        quality: window to what was summed of scores and labels; empty without labels.
    """

    windows: Mapping[Window, Mapping[str, Sums]] = field(default_factory=dict)
    quality: Mapping[Window, Sums] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """All counts of a job.

    Attributes:
        parts: by slice; that of ``EVERYTHING`` is always there.
        cuts: bins by column.
    """

    parts: Mapping[Slice, Part]
    cuts: Mapping[str, Cuts]

    @property
    def windows(self) -> Mapping[Window, Mapping[str, Sums]]:
        """Of all rows."""
        return self.parts[EVERYTHING].windows

    @property
    def quality(self) -> Mapping[Window, Sums]:
        """Of all rows."""
        return self.parts[EVERYTHING].quality


def count(ready: Prepared) -> Counted:
    """Counts all rows, in one pass.

    Raises:
        DataError: they cannot be read.
    """
    with translated():
        return counted(ready.cuts, ready.slicings, _summed(ready.rows, ready.work))


def counted(cuts: Mapping[str, Cuts], slicings: Mapping[str, tuple[str, ...] | None], found: Any) -> Counted:
    """Counts from the sums of the pass.

    Args:
        cuts: bins by column.
        slicings: by name, as the pass had them.
        found: a pandas data frame with one row for each window, slicing, value, column and slot.
    """
    names, tags = list(cuts), name_windows(found["window"])
    slices = _slices(slicings)
    windows: dict[Slice, dict[Window, dict[str, Sums]]] = {EVERYTHING: {}}
    quality: dict[Slice, dict[Window, Sums]] = {}
    for (tag, slicing, value, place), group in found.groupby(["window", "slicing", "value", "column"]):
        part, window = slices[slicing, value], tags[tag]
        if place == slots.QUALITY:
            quality.setdefault(part, {})[window] = _sums(group, 3 * slots.SCORE_BINS)
        else:
            columns = windows.setdefault(part, {}).setdefault(window, {})
            columns[names[place]] = _sums(group, cuts[names[place]].bins)
    return Counted({each: Part(windows.get(each, {}), quality.get(each, {})) for each in windows | quality}, cuts)


def _slices(slicings: Mapping[str, tuple[str, ...] | None]) -> Mapping[tuple[int, int], Slice]:
    """What the numbers of slicings and values stand for."""
    found = {(slots.ALL, 0): EVERYTHING}
    for place, (key, known) in enumerate(slicings.items()):
        values = ("true",) if known is None else (*known, _unlike("(other)", known), _unlike("null", known))
        found |= {(place, number): Slice(key, value) for number, value in enumerate(values)}
    return found


def _unlike(name: str, known: tuple[str, ...]) -> str:
    while name in known:
        name = f"({name})"
    return name


def _sums(group: Any, bins: int) -> Sums:
    found = Sums.empty(bins)
    slot = group["slot"].to_numpy()
    inside = slot < bins
    at = slot[inside] + slots.HEAD
    arrays = (found.totals, found.lows, found.highs, found.sums, found.scored, found.scores)
    for name, array in zip(("total", "low", "high", "sum", "scored", "score"), arrays, strict=True):
        array[at] = group[name].to_numpy()[inside]
    found.registers[slot[~inside] - bins] = group["high"].to_numpy()[~inside]
    return found


def _summed(rows: DataFrame, work: worker.Pass) -> Any:
    from pyspark.sql import functions as f

    with ExitStack() as stack:
        for module in (worker, places, sums):
            stack.enter_context(sent_by_value(module))
        parts = rows.mapInArrow(partial(worker.count_batches, work), slots.OUT)
    by_slot = parts.groupBy("window", "slicing", "value", "column", "slot")
    added = [f.sum(name).alias(name) for name in ("total", "sum", "scored", "score")]
    return by_slot.agg(*added, f.min("low").alias("low"), f.max("high").alias("high")).toPandas()
