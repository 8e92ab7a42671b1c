"""What has come of the trials so far: counts, the best, and whether that ends the sweep."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from sparkml_track.engine.loop.failure_log import FailureLog
from sparkml_track.engine.loop.stopping import Stopping
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.errors import SweepStopped
from sparkml_track.trial import Report, State

__all__ = ["Tally"]


class Tally:
    """Of one sweep.

    Args:
        spec: its target, patience and how many trials may fail.

    Attributes:
        counts: accepted trials, by state.
        best: of them, by the first objective; never one whose value is not finite.
        curves: what some of them reported.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._stopping = Stopping(spec.goals[0], spec.target, spec.patience)
        self._complaints = FailureLog()
        self.counts: Counter[State] = Counter()
        self.best: Result | None = None
        self.curves = Curves(spec.goals[0])

    def add(self, result: Result, reports: Sequence[Report] = ()) -> str:
        """Takes an accepted trial and what it reported; why the sweep ends with it, empty if it does not."""
        self.counts[result.state] += 1
        self.curves.add(result, reports)
        self._complaints.hear(result)
        if self._is_better(result):
            self.best = result
        reached = self._stopping.add(result)
        if self.too_many_failed:
            failed, limit = self.counts[State.FAILED], self._spec.failures.max_failed
            return f"{failed} trials failed, allowed are {limit}; the last one: {result.message[:300]}"
        return reached

    def _is_better(self, result: Result) -> bool:
        if result.value is None or not math.isfinite(result.value[0]):
            return False
        if self.best is None or self.best.value is None:
            return True
        return self._spec.goals[0].better(result.value[0], self.best.value[0])

    def unread(self, number: int, metrics: Mapping[str, float]) -> None:
        """A report came that no pruner can read."""
        self._complaints.unread(number, self._spec.metric[0], metrics)

    @property
    def too_many_failed(self) -> bool:
        """Whether more trials failed than the spec allows."""
        limit = self._spec.failures.max_failed
        return limit is not None and self.counts[State.FAILED] > limit

    def raise_if_stopped(self, stopping: str) -> None:
        """Raises why the sweep stopped early, if it was for failures.

        Raises:
            SweepStopped: the message says what failed and what to do.
        """
        if self.too_many_failed:
            raise SweepStopped(
                f"{stopping}. Results so far are kept. Mend the objective and start anew, or allow more with "
                "failures=Failures(max_failed=...)"
            )
