"""What is under way, so that proposals differ from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from sparkml_track.trial import Params

__all__ = ["Unfinished", "seed_of"]

_DRAWS = 64  # at random, before a repetition is accepted: then the space has hardly another point


def seed_of(seed: int, number: int, attempt: int = 0) -> int:
    """A seed below 2**31 for one proposal: a function of the sweep's seed, the trial and the attempt at it."""
    return Random(f"{seed}/{number}/{attempt}").getrandbits(31)


class Unfinished:
    """The parameters of unfinished trials."""

    def __init__(self) -> None:
        self._keys: dict[int, str] = {}
        self._counts: Counter[str] = Counter()

    def __contains__(self, params: Params) -> bool:
        return self._counts[repr(params)] > 0

    def start(self, number: int, params: Params) -> None:
        """A trial began."""
        self.end(number)
        self._keys[number] = repr(params)
        self._counts[repr(params)] += 1

    def end(self, number: int) -> None:
        """A trial ended; one that is not known is none of ours."""
        key = self._keys.pop(number, None)
        if key is not None:
            self._counts -= Counter({key: 1})

    def fresh(self, propose: Callable[[int], Params], tries: int, draw: Callable[[int], Params]) -> Params:
        """The first proposal that is not under way: of ``propose(0)``, …, then of ``draw(0)``, …, else a repetition."""
        for attempt in range(tries):
            params = propose(attempt)
            if params not in self:
                return params
        for attempt in range(_DRAWS):
            params = draw(attempt)
            if params not in self:
                return params
        return params
