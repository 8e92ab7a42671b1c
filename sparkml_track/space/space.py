"""A valid search space: from decisions to parameters and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

from sparkml_track.errors import SpaceError
from sparkml_track.space.distributions import Distribution
from sparkml_track.space.tree import (
    Group,
    Leaf,
    build,
    combinations,
    constants,
    flatten,
    leaves,
    match,
    names,
    near,
    plain_values,
    size,
    spec,
)

__all__ = ["Space"]


@dataclass(frozen=True)
class Space:
    """A valid search space; made by ``parse``. Frozen, hashable and picklable.

    Attributes:
        tree: the parsed form.
    """

    tree: Group

    @cached_property
    def leaves(self) -> Mapping[str, Leaf]:
        """All random decisions by key, parents before children."""
        return {leaf.key: leaf for leaf in leaves(self.tree)}

    @cached_property
    def size(self) -> int | None:
        """How many different points there are at most; None if a distribution is not countable."""
        return size(self.tree)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that can be recorded, constants too, in the user's order."""
        return tuple(dict.fromkeys(names(self.tree)))

    @property
    def plain(self) -> Iterator[tuple[str, object]]:
        """Names and plain values of all that can be recorded; None for a value that is drawn."""
        return plain_values(self.tree)

    @property
    def constants(self) -> Iterator[tuple[str, object]]:
        """Names and values of what is the same in every trial."""
        return constants(self.tree)

    def build(self, decide: Callable[[Leaf], object]) -> dict[str, object]:
        """Makes parameters, asking for each decision that is needed: a value, or an option's index for a choice."""
        made = build(self.tree, "", lambda key: decide(self.leaves[key]))
        assert isinstance(made, dict)
        return made

    def sample(self, rng: Random) -> dict[str, object]:
        """Draws one point, one ``rng.random()`` for each decision, in the user's order."""
        return self.build(lambda leaf: leaf.what.quantile(rng.random()))

    def decode(self, decisions: Mapping[str, object]) -> dict[str, object]:
        """Makes parameters from decisions by key; those that are not needed are ignored."""
        return self.build(lambda leaf: decisions[leaf.key])

    def encode(self, point: Mapping[str, object]) -> dict[str, object]:
        """The decisions, by key, that lead to this point, which has either shape. The inverse of ``decode``.

        Raises:
            SpaceError: the point is not of this space; one sentence for each problem.
        """
        flat = flatten(point)
        found = match(self.tree, flat)
        unknown = tuple(f"{name!r} is unknown{near(name, self.names)}" for name in flat if name not in found.used)
        if found.problems or unknown:
            raise SpaceError(*found.problems, *unknown)
        return dict(found.decisions)

    def from_point(self, point: Mapping[str, object]) -> dict[str, object]:
        """Parameters in the shape of the space from a point that is nested or flattened; constants may be left out.

        Raises:
            SpaceError: as ``encode``.
        """
        return self.decode(self.encode(point))

    def contains(self, params: Mapping[str, object]) -> bool:
        """Whether this point, in either shape, is of this space."""
        try:
            self.encode(params)
        except SpaceError:
            return False
        return True

    def flatten(self, params: Mapping[str, object]) -> dict[str, object]:
        """Parameters as they are recorded, with dots."""
        return flatten(params)

    def unflatten(self, flat: Mapping[str, object]) -> dict[str, object]:
        """The inverse of ``flatten``; also brings constants back.

        Raises:
            SpaceError: as ``encode``.
        """
        return self.from_point(flat)

    def points(self) -> Iterator[dict[str, object]]:
        """All points, the last name changing fastest, made as they are taken. Those of equal options come repeatedly.

        Raises:
            SpaceError: some values are not countable; one sentence for each.
        """
        if self.size is None:
            raise SpaceError(
                *(
                    f"{leaf.name!r} is {leaf.what}, whose values cannot be counted; use quniform, randint or choice"
                    for leaf in self.leaves.values()
                    if isinstance(leaf.what, Distribution) and leaf.what.size is None
                )
            )
        return map(self.decode, combinations(self.tree))

    def spec(self) -> dict[str, object]:
        """The form that config files have, JSON-able; ``parse`` of it gives this space."""
        made = spec(self.tree)
        assert isinstance(made, dict)
        return made

    def fingerprint(self) -> str:
        """Names this space across processes and releases: 16 hexadecimal digits of SHA-256 over ``spec()``.

        Order counts, because it decides which random number goes where.
        """
        return hashlib.sha256(json.dumps(self.spec()).encode()).hexdigest()[:16]
