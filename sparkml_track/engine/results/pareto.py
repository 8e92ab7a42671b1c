"""The Pareto front, kept up to date one point at a time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Front"]

T = TypeVar("T")


class _Item(NamedTuple, Generic[T]):
    losses: tuple[float, ...]
    number: int
    what: T


class Front(Generic[T]):
    """Items that no other one beats: lower is better in each of ``size`` numbers, the lowest number among equals.

    With one objective this is the best item. With two, the front is a staircase, and a point is placed by bisection;
    with more, every item of the front is looked at.

    Args:
        size: how many objectives.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: list[_Item[T]] = []
        self._stairs: list[tuple[float, float, int]] = []
        self._by_number: dict[int, T] = {}

    def __iter__(self) -> Iterator[T]:
        """The items of the front, by number."""
        if self._size == 2:
            return iter([self._by_number[stair[2]] for stair in sorted(self._stairs, key=lambda one: one[2])])
        return iter([item.what for item in sorted(self._items, key=lambda one: one.number)])

    def add(self, losses: tuple[float, ...], number: int, item: T) -> None:
        """Adds an item; what it beats leaves the front."""
        if self._size == 2:
            self._add_stair((losses[0], losses[1], number), item)
            return
        new = _Item(losses, number, item)
        if not any(_beats(other, new) for other in self._items):
            self._items = [*(other for other in self._items if not _beats(new, other)), new]

    def _add_stair(self, stair: tuple[float, float, int], item: T) -> None:
        # First numbers rise and second ones fall along the stairs.
        at = bisect_left(self._stairs, stair)
        if at and self._stairs[at - 1][1] <= stair[1]:
            return
        end = at
        while end < len(self._stairs) and self._stairs[end][1] >= stair[1]:
            del self._by_number[self._stairs[end][2]]
            end += 1
        del self._stairs[at:end]
        insort(self._stairs, stair)
        self._by_number[stair[2]] = item


def _beats(ours: _Item[T], theirs: _Item[T]) -> bool:
    """Whether one is at least as good in all, and better in one or, among equals, of a lower number."""
    if ours.losses == theirs.losses:
        return ours.number < theirs.number
    return all(a <= b for a, b in zip(ours.losses, theirs.losses, strict=True))
