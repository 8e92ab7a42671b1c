"""What an objective is after: a metric, and whether less or more of it is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["DIRECTIONS", "Goal", "goals_of", "losses"]

DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True, slots=True)
class Goal:
    """One metric and its direction.

    Attributes:
        metric: its name.
        maximize: more is better.
    """

    metric: str = "loss"
    maximize: bool = False

    @property
    def direction(self) -> str:
        """The same in words: one of ``DIRECTIONS``."""
        return DIRECTIONS[self.maximize]

    def loss(self, value: float) -> float:
        """The value where less is better, as samplers and pruners take it; turns a loss into the value, too."""
        return -value if self.maximize else value

    def better(self, value: float, other: float) -> bool:
        """Whether ``value`` is better than ``other``; what is not a number is neither."""
        return self.loss(value) < self.loss(other)


def goals_of(metric: Sequence[str], direction: Sequence[str]) -> tuple[Goal, ...]:
    """The goals of metrics and as many directions, which were checked."""
    return tuple(Goal(name, way == "maximize") for name, way in zip(metric, direction, strict=True))


def losses(goals: Sequence[Goal], metrics: Mapping[str, float]) -> tuple[float, ...]:
    """The loss of each goal.

    Raises:
        KeyError: a metric is not there.
    """
    return tuple(goal.loss(metrics[goal.metric]) for goal in goals)
