"""What pruners share: the reports of each running trial, and the checks of their settings."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from sparkml_track.errors import SpecError
from sparkml_track.pruners._base import Pruner

__all__ = ["Check", "Curve", "CurvePruner", "check", "due", "number", "whole"]


@dataclass(slots=True)
class Curve:
    """The reports of one attempt.

    Attributes:
        values: by step; the first report of a step counts.
        last: the highest step so far, -1 before the first report.
        before: the highest step below ``last``, -1 if there is none.
        best: the lowest value that is a number; nan if there is none.
        stop: the latest decision.
    """

    values: dict[int, float] = field(default_factory=dict)
    last: int = -1
    before: int = -1
    best: float = math.nan
    stop: bool = False

    def add(self, step: int, value: float) -> bool:
        """Takes a report; False if this step was there already."""
        if step in self.values:
            return False
        self.values[step] = value
        if step > self.last:
            self.before, self.last = self.last, step
        elif step > self.before:
            self.before = step
        if not value >= self.best:  # also true while best is nan
            self.best = self.best if math.isnan(value) else value
        return True


class CurvePruner(Pruner):
    """Keeps the curves and asks a member to decide.

    As in Optuna, a decision is always about the highest step: a report that comes late is remembered and the trial
    looked at again. A repeated step changes nothing and gets the answer of the latest report.
    """

    def __init__(self) -> None:
        self._curves: dict[int, Curve] = {}

    @abstractmethod
    def decide(self, trial: int, curve: Curve) -> bool:
        """Whether the trial should stop, its curve being as it is now."""

    def learn(self, curve: Curve) -> None:
        """A trial finished with this curve."""

    def forget(self, trial: int) -> None:
        """What was kept of a trial besides its curve is no longer true."""

    def report(self, trial: int, step: int, value: float) -> bool:
        """As the contract says."""
        curve = self._curves.get(trial)
        if curve is None:
            curve = self._curves[trial] = Curve()
        if curve.add(step, value):
            curve.stop = self.decide(trial, curve)
        return curve.stop

    def ended(self, trial: int, finished: bool) -> None:
        """As the contract says."""
        curve = self._curves.pop(trial, None)
        if finished and curve is not None:
            self.learn(curve)

    def restarted(self, trial: int) -> None:
        """As the contract says."""
        self._curves.pop(trial, None)
        self.forget(trial)


def due(curve: Curve, warmup: int, interval: int) -> bool:
    """Whether the highest step is the first in its interval, counted from ``warmup``, and not before it."""
    if curve.last < warmup:
        return False
    return curve.before < (curve.last - warmup) // interval * interval + warmup


#: A setting's name, its value, whether it is allowed, and what is.
Check = tuple[str, object, bool, str]


def whole(name: str, value: object, low: int) -> Check:
    """A whole number of at least ``low``."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= low
    return name, value, good, f"whole numbers from {low}"


def number(name: str, value: object, allowed: str, test: Callable[[float], bool]) -> Check:
    """A number that passes a test."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and test(value)
    return name, value, good, allowed


def check(pruner: str, *checks: Check) -> None:
    """Raises one ``SpecError`` for all settings that are not allowed."""
    wrong = [
        f"option {name!r} of pruner {pruner!r} is {value!r}; allowed: {allowed}"
        for name, value, good, allowed in checks
        if not good
    ]
    if wrong:
        raise SpecError(*wrong)
