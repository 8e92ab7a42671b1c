"""Quasi-random search, by scipy."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from sparkml_track.errors import SpecError
from sparkml_track.samplers._numbered import NumberedSampler
from sparkml_track.space import Leaf, Space
from sparkml_track.trial import Params

if TYPE_CHECKING:
    import numpy as np

__all__ = ["QuasiRandomSampler"]


class QuasiRandomSampler(NumberedSampler):
    """Points that fill the space evenly: a scrambled Sobol or Halton sequence, through the quantiles.

    Source: Owen, "Randomly permuted (t, m, s)-nets and (t, s)-sequences", 1995; Bergstra and Bengio, "Random search for
    hyper-parameter optimization", JMLR 2012, who found it a little better than random search.

    Args:
        space: the space.
        seed: of the scrambling.
        objectives: any number will do.
        sequence: "sobol" or "halton".
    """

    def __init__(self, space: Space, *, seed: int, objectives: int = 1, sequence: str = "sobol") -> None:
        if sequence not in {"sobol", "halton"}:
            raise SpecError(f"sequence of sampler 'quasi-random' is {sequence!r}; allowed: 'sobol', 'halton'")
        del objectives  # any number will do
        super().__init__(seed, space.size)
        self._space = space
        self._columns = {key: column for column, key in enumerate(space.leaves)}
        self._sequence = sequence
        self._blocks: list[np.ndarray] = []

    def draw(self, number: int, attempt: int) -> Params:
        """The point at this place of the sequence; a random one where that is not new (few discrete values)."""
        if attempt:
            return self._space.sample(Random(f"{self._seed}/{number}/{attempt}"))
        row = self._row(number)

        def decide(leaf: Leaf) -> object:
            return leaf.what.quantile(float(row[self._columns[leaf.key]]))

        return self._space.build(decide)

    def _row(self, number: int) -> np.ndarray:
        # In blocks of a power of 2, which the sequence is balanced over.
        block, place = divmod(number, 256)
        if not self._blocks:
            self._engine = _engine(self._sequence, max(1, len(self._columns)), self._seed)
        while len(self._blocks) <= block:
            self._blocks.append(self._engine.random(256))
        row: np.ndarray = self._blocks[block][place]
        return row


def _engine(sequence: str, columns: int, seed: int) -> Any:  # scipy has no types
    import numpy as np
    from scipy.stats import qmc

    make = qmc.Sobol if sequence == "sobol" else qmc.Halton
    return make(columns, scramble=True, rng=np.random.default_rng(seed))
