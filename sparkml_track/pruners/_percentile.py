"""Against the finished trials at the same step."""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass, field

from sparkml_track.pruners._curves import Curve, CurvePruner, check, due, number, whole

__all__ = ["MedianPruner", "PercentilePruner"]


@dataclass(slots=True)
class Column:
    """What finished trials had at one step: numbers in rising order, and how many were nan."""

    values: list[float] = field(default_factory=list)
    nans: int = 0

    def add(self, value: float) -> None:
        """Takes one more."""
        if math.isnan(value):
            self.nans += 1
        else:
            insort(self.values, value)


class PercentilePruner(CurvePruner):
    """Stops a trial whose best value so far is worse than the percentile of finished trials at its step.

    Source: Golovin et al., "Google Vizier", KDD 2017 (the median rule); the same decisions as Optuna's.

    Args:
        percentile: from 0 to 100; 25 keeps what is among the best quarter.
        startup_trials: nothing is stopped before so many trials have finished.
        warmup_steps: nothing is stopped before this step.
        interval_steps: looks only at the first report in each so many steps.
        min_trials: so many finished trials must have reported the step.

    Raises:
        SpecError: a setting is not allowed.
    """

    name = "percentile"

    def __init__(
        self,
        percentile: float = 25.0,
        startup_trials: int = 5,
        warmup_steps: int = 0,
        interval_steps: int = 1,
        min_trials: int = 1,
    ) -> None:
        check(
            self.name,
            number("percentile", percentile, "numbers from 0 to 100", lambda value: 0 <= value <= 100),
            whole("startup_trials", startup_trials, 0),
            whole("warmup_steps", warmup_steps, 0),
            whole("interval_steps", interval_steps, 1),
            whole("min_trials", min_trials, 1),
        )
        super().__init__()
        self._share = percentile / 100
        self._startup = max(1, startup_trials)
        self._warmup, self._interval, self._min_trials = warmup_steps, interval_steps, min_trials
        self._columns: dict[int, Column] = {}
        self._finished = 0

    def decide(self, trial: int, curve: Curve) -> bool:
        """Compares the best value with the percentile of the column."""
        del trial
        if self._finished < self._startup or not due(curve, self._warmup, self._interval):
            return False
        if math.isnan(curve.best):
            return True
        column = self._columns.get(curve.last)
        if column is None or not column.values or len(column.values) + column.nans < self._min_trials:
            return False
        return curve.best > percentile_of(column.values, self._share)

    def ended(self, trial: int, finished: bool) -> None:
        """Counts finished trials, those without a report too."""
        self._finished += finished
        super().ended(trial, finished)

    def learn(self, curve: Curve) -> None:
        """Adds the curve to the columns."""
        for step, value in curve.values.items():
            self._columns.setdefault(step, Column()).add(value)


class MedianPruner(PercentilePruner):
    """Stops a trial whose best value so far is worse than the median of finished trials at its step.

    Args:
        startup_trials: as ``PercentilePruner``.
        warmup_steps: as ``PercentilePruner``.
        interval_steps: as ``PercentilePruner``.
        min_trials: as ``PercentilePruner``.
    """

    name = "median"

    def __init__(
        self, startup_trials: int = 5, warmup_steps: int = 0, interval_steps: int = 1, min_trials: int = 1
    ) -> None:
        super().__init__(50.0, startup_trials, warmup_steps, interval_steps, min_trials)


def percentile_of(values: list[float], share: float) -> float:
    """The percentile of sorted values by linear interpolation, bit for bit as numpy computes it."""
    place = share * (len(values) - 1)
    below = math.floor(place)
    if below + 1 >= len(values):
        return values[-1]
    left, right, part = values[below], values[below + 1], place - below
    # Two forms, so that the result is exact at both ends.
    return right - (right - left) * (1 - part) if part >= 0.5 else left + (right - left) * part
