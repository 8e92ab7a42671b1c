"""Values that come and go, in order: for least, greatest, latest and quantiles. Sent to Spark's workers by value."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any

__all__ = ["Ranked"]

#: Values that a block is split at: an insertion moves the rest of one block and no more.
_BLOCK = 2000


class Ranked:
    """A sorted list in blocks: a value comes or goes in the time of a block, however many there are."""

    __slots__ = ("_blocks", "_lasts", "size")

    def __init__(self) -> None:
        self._blocks: list[list[Any]] = []
        self._lasts: list[Any] = []
        self.size = 0

    def add(self, value: Any) -> None:
        """Puts a value in; one that is there already is there once more."""
        self.size += 1
        if not self._blocks:
            self._blocks, self._lasts = [[value]], [value]
            return
        place = min(bisect_left(self._lasts, value), len(self._lasts) - 1)
        block = self._blocks[place]
        insort(block, value)
        if len(block) > _BLOCK:
            half = len(block) // 2
            self._blocks[place : place + 1] = [block[:half], block[half:]]
            self._lasts[place : place + 1] = [block[half - 1], block[-1]]
        else:
            self._lasts[place] = block[-1]

    def remove(self, value: Any) -> None:
        """Takes a value out that is there."""
        self.size -= 1
        place = bisect_left(self._lasts, value)
        block = self._blocks[place]
        del block[bisect_left(block, value)]
        if block:
            self._lasts[place] = block[-1]
        else:
            del self._blocks[place], self._lasts[place]

    def __getitem__(self, number: int) -> Any:
        """The value at a place from 0 to ``size`` - 1; the last one at once."""
        if number == self.size - 1:
            return self._lasts[-1]
        for block in self._blocks:
            if number < len(block):
                return block[number]
            number -= len(block)
        raise IndexError(number)
