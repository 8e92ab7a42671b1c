"""Grid search."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from sparkml_track.samplers._base import Capabilities, Sampler
from sparkml_track.space import Space
from sparkml_track.trial import Params, State

__all__ = ["GridSampler"]

_logger = logging.getLogger(__name__)
_COUNTED = 20_000  # a larger grid is announced without looking for repetitions


class GridSampler(Sampler):
    """Every point of a countable space once, the last name changing fastest.

    Points that are equal (of options that overlap) are proposed once, and none that was told or taken note of. The grid
    is made as it is taken, so it may be larger than memory.

    Raises:
        SpaceError: some values cannot be counted; one sentence for each.
    """

    capabilities = Capabilities(adaptive=False, finite=True, multi_objective=True)

    def __init__(self, space: Space, *, seed: int = 0, objectives: int = 1) -> None:
        del seed, objectives  # there is nothing random, and any number will do
        self._points: Iterator[Params] = space.points()
        self._space = space
        self._seen: set[str] = set()
        assert space.size is not None
        self.size: int = space.size
        if self.size <= _COUNTED:
            self.size = len(set(map(repr, space.points())))
        _logger.info("grid of %d points%s", self.size, "" if self.size <= _COUNTED else " at most")

    def ask(self, number: int) -> Params | None:
        """The next point that was not seen."""
        del number
        for params in self._points:
            if repr(params) not in self._seen:
                self._seen.add(repr(params))
                return params
        return None

    def note(self, number: int, params: Params) -> None:
        """Leaves this point out."""
        del number
        self._seen.add(repr(self._space.from_point(params)))

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """Leaves this point out, if it was not asked for here."""
        del state, values
        self.note(number, params)
