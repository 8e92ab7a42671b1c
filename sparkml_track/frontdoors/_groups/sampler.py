"""The groups as the points of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from sparkml_track.samplers import Capabilities, Sampler
from sparkml_track.trial import Params, State

__all__ = ["GroupSampler"]


class GroupSampler(Sampler):
    """Proposes each group once: trial N is the N-th largest, whatever was asked before.

    Args:
        groups: the keys of each, the largest first.
    """

    capabilities = Capabilities(adaptive=False, finite=True, multi_objective=True)

    def __init__(self, groups: Sequence[Params]) -> None:
        self._groups = groups
        self.size = len(groups)

    @override
    def ask(self, number: int) -> Params | None:
        return dict(self._groups[number]) if number < len(self._groups) else None

    @override
    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """Learns nothing."""
