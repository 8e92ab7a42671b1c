"""The sums of one column in one partition. Sent to Spark's Python workers by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparkml_track.monitoring._counting.places import Column
from sparkml_track.monitoring._counting.slots import HEAD, INFINITE, MISSING, REGISTERS, SCORE_BINS, SQUARES

__all__ = ["ColumnSums"]


class ColumnSums:
    """The sums of one column by group and slot; slots count from 0 here."""

    def __init__(self, size: int) -> None:
        import numpy as np

        self.size = size
        self.arrays = [np.zeros((0, size)) for _ in range(6)]

    def grow(self, groups: int) -> None:
        import numpy as np

        had = len(self.arrays[0])
        if groups > had:
            more = max(groups, 2 * had) - had
            for place, empty in enumerate((0.0, np.inf, -np.inf, 0.0, 0.0, 0.0)):
                self.arrays[place] = np.concatenate([self.arrays[place], np.full((more, self.size), empty)])

    def add_total(self, slot: int, group: Any, values: Any = None) -> None:
        """Adds values, or a count of rows, in a slot below 0."""
        import numpy as np

        totals = self.arrays[0]
        totals[:, slot + HEAD] += np.bincount(group, values, minlength=len(totals))

    def add_range(self, slot: int, group: Any, values: Any) -> None:
        """The least and the most of values in a slot below 0."""
        import numpy as np

        np.minimum.at(self.arrays[1][:, slot + HEAD], group, values)
        np.maximum.at(self.arrays[2][:, slot + HEAD], group, values)

    def add_score_bins(self, block: int, group: Any, score: Any) -> None:
        """Scores in bins of equal width."""
        import numpy as np

        bins = np.clip((np.clip(score, 0, 1) * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
        flat = group * self.size + HEAD + block * SCORE_BINS + bins
        np.add.at(self.arrays[0].reshape(-1), flat, 1.0)
        self.add_scores(group, HEAD + block * SCORE_BINS + bins, score)

    def add_scores(self, group: Any, slots: Any, score: Any) -> None:
        import numpy as np

        flat = group * self.size + slots
        np.add.at(self.arrays[4].reshape(-1), flat, 1.0)
        np.add.at(self.arrays[5].reshape(-1), flat, score)

    def add_column(self, column: Column, rows: Any, group: Any) -> None:
        import numpy as np

        totals, lows, highs, sums = (array.reshape(-1) for array in self.arrays[:4])
        flat = group * self.size + column.slots[rows]
        np.add.at(totals, flat, 1.0)
        if column.finite is not None:
            finite, number = column.finite[rows], column.numbers[rows]
            there = flat
            if not finite.all():
                self.add_total(INFINITE, group[np.isinf(number)])
                there, group_there, number = flat[finite], group[finite], number[finite]
            else:
                group_there = group
            shifted = number - column.shift
            np.add.at(sums, there, shifted)
            self.add_total(SQUARES, group_there, np.square(shifted))
            np.minimum.at(lows, there, number)
            np.maximum.at(highs, there, number)
        if column.hashed.any():
            hashed = column.hashed[rows]
            first = self.size - REGISTERS
            places = group[hashed] * self.size + first + column.register[rows][hashed]
            np.maximum.at(highs, places, column.rank[rows][hashed])

    def rows(self, groups: dict[tuple[str, int, int], int], place: int) -> Iterator[tuple[Any, ...]]:
        import numpy as np

        totals, lows, highs, *more = self.arrays
        for (tag, slicing, value), group in groups.items():
            there = (totals[group] != 0) | (highs[group] > -np.inf)
            # A column whose every sum is zero is still there.
            there[MISSING + HEAD] = True
            slots = np.flatnonzero(there)
            count = len(slots)
            tags = np.full(count, tag, dtype=object)
            keys = (np.full(count, number, np.int32) for number in (slicing, value, place))
            found = (array[group][slots] for array in (totals, lows, highs, *more))
            yield (tags, *keys, (slots - HEAD).astype(np.int32), *found)
