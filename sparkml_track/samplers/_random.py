"""Random search."""

from __future__ import annotations

from random import Random

from sparkml_track.samplers._numbered import NumberedSampler
from sparkml_track.space import Space
from sparkml_track.trial import Params

__all__ = ["RandomSampler"]


class RandomSampler(NumberedSampler):
    """Every decision drawn at random from its distribution."""

    def __init__(self, space: Space, *, seed: int, objectives: int = 1) -> None:
        del objectives  # any number will do
        super().__init__(seed, space.size)
        self._space = space

    def draw(self, number: int, attempt: int) -> Params:
        """One point, by a generator of its own."""
        return self._space.sample(Random(f"{self._seed}/{number}/{attempt}"))
