"""Against a trial's own past."""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from dataclasses import dataclass, field

from sparkml_track.pruners._base import Pruner
from sparkml_track.pruners._curves import Curve, CurvePruner, check, number, whole

__all__ = ["PatiencePruner"]


@dataclass(slots=True)
class Past:
    """A curve in the order of its steps, cut into what is recent and the best of what was before.

    Attributes:
        patience: one less than the number of recent values.
        steps: all steps, rising.
        recent: the values of the last steps.
        best: the lowest value before those; infinite if there is none.
    """

    patience: int
    steps: list[int] = field(default_factory=list)
    recent: deque[float] = field(default_factory=deque)
    best: float = math.inf

    def add(self, curve: Curve, step: int) -> None:
        """Takes a report; one that comes late makes it anew."""
        late = bool(self.steps) and step < self.steps[-1]
        insort(self.steps, step)
        if late:
            self.recent.clear()
            self.best = math.inf
        for known in self.steps if late else (step,):
            value = curve.values[known]
            self.recent.append(math.inf if math.isnan(value) else value)
            if len(self.recent) > self.patience + 1:
                self.best = min(self.best, self.recent.popleft())


class PatiencePruner(CurvePruner):
    """Stops a trial that has not come within ``min_delta`` of its best for ``patience`` further reports.

    The rule of Optuna's: the best of the last ``patience + 1`` reports is worse, by more than ``min_delta``, than the
    best before them. A plateau is not worse. With another pruner inside, both must agree on the same report.

    Args:
        patience: how many reports.
        min_delta: from 0.
        pruner: another pruner to hold back.

    Raises:
        SpecError: a setting is not allowed.
    """

    def __init__(self, patience: int = 10, min_delta: float = 0.0, pruner: Pruner | None = None) -> None:
        check(
            "patience",
            whole("patience", patience, 0),
            number("min_delta", min_delta, "numbers from 0", lambda value: 0 <= value < math.inf),
            ("pruner", pruner, pruner is None or isinstance(pruner, Pruner), "a pruner"),
        )
        super().__init__()
        self._patience, self._min_delta, self._inner = patience, min_delta, pruner
        self._pasts: dict[int, Past] = {}

    def report(self, trial: int, step: int, value: float) -> bool:
        """As the contract says."""
        agreed = self._inner is None or self._inner.report(trial, step, value)
        return super().report(trial, step, value) and agreed

    def decide(self, trial: int, curve: Curve) -> bool:
        """Compares what is recent with what was before."""
        past = self._pasts.get(trial)
        if past is None:
            past = self._pasts[trial] = Past(self._patience)
        past.add(curve, next(reversed(curve.values)))
        return past.best + self._min_delta < min(past.recent)

    def ended(self, trial: int, finished: bool) -> None:
        """As the contract says."""
        self._pasts.pop(trial, None)
        super().ended(trial, finished)
        if self._inner is not None:
            self._inner.ended(trial, finished)

    def forget(self, trial: int) -> None:
        """As the contract says."""
        self._pasts.pop(trial, None)
        if self._inner is not None:
            self._inner.restarted(trial)
