"""What samplers share that propose by the number alone."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence

from sparkml_track.samplers._base import Capabilities, Sampler
from sparkml_track.trial import Params, State

__all__ = ["NumberedSampler"]

_WINDOW = 64
_DRAWS = 64


class NumberedSampler(Sampler):
    """Proposes a function of seed and number, whatever was asked and told before.

    A proposal also differs from the 64 before it, where the space has that many points: so proposals under way differ
    without looking at them, and a resumed sweep goes on with the same ones.

    Args:
        seed: of the sweep.
        points: how many the space has at most, None if they cannot be counted.
    """

    capabilities = Capabilities(adaptive=False, multi_objective=True)

    def __init__(self, seed: int, points: int | None) -> None:
        self._seed = seed
        self._window = _WINDOW if points is None else min(_WINDOW, points - 1)
        self._restart()

    @abstractmethod
    def draw(self, number: int, attempt: int) -> Params:
        """The proposal for a trial; a later attempt gives another."""

    def ask(self, number: int) -> Params:
        """As the contract says."""
        if number < self._next:
            self._restart()
        while self._next <= number:
            params = self._another(self._next)
            self._recent.append(repr(params))
            self._next += 1
        return params

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """Learns nothing."""

    def _restart(self) -> None:
        self._next = 0
        self._recent: deque[str] = deque(maxlen=self._window)

    def _another(self, number: int) -> Params:
        drawn: dict[str, Params] = {}
        for attempt in range(_DRAWS):
            params = self.draw(number, attempt)
            if repr(params) not in self._recent:
                return params
            drawn[repr(params)] = params
        # The space has hardly another point: of those drawn, the one that was proposed longest ago.
        return drawn[min(drawn, key=self._recent.index)]
