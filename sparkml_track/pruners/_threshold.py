"""Against fixed bounds."""

from __future__ import annotations

import math

from sparkml_track.pruners._curves import Curve, CurvePruner, check, due, number, whole

__all__ = ["ThresholdPruner"]


class ThresholdPruner(CurvePruner):
    """Stops a trial whose latest value is nan or outside the bounds.

    Args:
        lower: the lowest value allowed, as the objective reports it.
        upper: the highest.
        warmup_steps: nothing is stopped before this step.
        interval_steps: looks only at the first report in each so many steps.
        maximize: the values that come have the sign turned round, as the contract says; bounds have not.

    Raises:
        SpecError: a setting is not allowed, or there is no bound.
    """

    def __init__(
        self,
        lower: float | None = None,
        upper: float | None = None,
        warmup_steps: int = 0,
        interval_steps: int = 1,
        maximize: bool = False,
    ) -> None:
        low, high = (-math.inf if lower is None else lower), (math.inf if upper is None else upper)
        check(
            "threshold",
            number("lower", low, "numbers", lambda value: not math.isnan(value)),
            number("upper", high, "numbers of at least lower", lambda value: not value < low),
            ("lower and upper", None, (lower, upper) != (None, None), "give one or both"),
            whole("warmup_steps", warmup_steps, 0),
            whole("interval_steps", interval_steps, 1),
        )
        super().__init__()
        self._low, self._high = (-high, -low) if maximize else (low, high)
        self._warmup, self._interval = warmup_steps, interval_steps

    def decide(self, trial: int, curve: Curve) -> bool:
        """Compares the value of the highest step with the bounds."""
        del trial
        return due(curve, self._warmup, self._interval) and not self._low <= curve.values[curve.last] <= self._high
