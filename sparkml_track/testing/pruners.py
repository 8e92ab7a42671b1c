"""What every pruner must do. Subclass ``PrunerCase`` and say how to make one."""

from __future__ import annotations

import math
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random

from sparkml_track.pruners import Pruner

__all__ = ["PrunerCase"]


class PrunerCase(ABC):
    """The cases. Values are lower is better; trials report steps 0 to 29, the bad ones far above the good."""

    @abstractmethod
    def make(self) -> Pruner:
        """A new pruner that has stopped nothing yet and may stop from step 1 on."""

    def taught(self) -> Pruner:
        """A new pruner, after twelve good trials that were not stopped."""
        pruner = self.make()
        for trial in range(12):
            for step in range(30):
                # Better and better, or the pruners that compare ranks would stop them.
                if pruner.report(trial, step, 2.0 - step / 100 - trial / 10):
                    break
            else:
                pruner.ended(trial, finished=True)
                continue
            pruner.ended(trial, finished=False)
        return pruner

    def test_a_bad_trial_is_stopped_and_a_good_one_is_not(self) -> None:
        """Bad is getting worse and worse, above all others."""
        pruner = self.taught()
        assert _stopped_at(pruner, 100, lambda step: 50.0 + step) is not None
        assert _stopped_at(pruner, 101, lambda step: -1.0 - step) is None

    def test_nan_is_worst(self) -> None:
        """A trial that was bad and gives nothing else afterwards is stopped."""
        assert _stopped_at(self.taught(), 100, lambda step: math.nan if step else 50.0) is not None

    def test_a_repeated_step_changes_nothing(self) -> None:
        """The first value counts."""
        once, twice = self.taught(), self.taught()
        for step in range(30):
            decision = once.report(100, step, -1.0 - step)
            assert twice.report(100, step, -1.0 - step) == decision
            assert twice.report(100, step, 99.0) == decision
        assert not decision

    def test_steps_may_be_late_or_missing(self) -> None:
        """No error, and a good trial stays good."""
        steps = list(range(0, 30, 2))
        Random(1).shuffle(steps)
        pruner = self.taught()
        assert not any(pruner.report(100, step, -1.0 - step) for step in steps)

    def test_a_new_attempt_starts_clean(self) -> None:
        """What the lost one reported is as if it had never been, for itself and for others."""
        pruner, expected = self.taught(), self.taught()
        for step in range(30):
            pruner.report(100, step, -1000.0 - step)
        pruner.restarted(100)
        for step in range(30):
            assert pruner.report(100, step, 0.5 + step) == expected.report(100, step, 0.5 + step)
        for step in range(30):
            assert pruner.report(101, step, -1.0 - step) == expected.report(101, step, -1.0 - step)

    def test_trials_that_never_report_are_no_error(self) -> None:
        """Ended, restarted or both, first or later."""
        for pruner in (self.make(), self.taught()):
            pruner.restarted(200)
            pruner.ended(200, finished=False)
            pruner.ended(201, finished=True)
            assert not pruner.report(202, 0, -1.0)

    def test_the_same_reports_give_the_same_decisions(self) -> None:
        """Nothing is random, and the state can be pickled."""
        streams = [(rng := Random(7)).randrange(20) for _ in range(400)]
        reports = [(trial, index // 20, rng.random()) for index, trial in enumerate(streams)]
        one, two = self.taught(), pickle.loads(pickle.dumps(self.taught()))  # noqa: S301 - our own
        for trial, step, value in reports:
            assert one.report(300 + trial, step, value) == two.report(300 + trial, step, value)


def _stopped_at(pruner: Pruner, trial: int, value_at: Callable[[int], float]) -> int | None:
    for step in range(30):
        if pruner.report(trial, step, value_at(step)):
            pruner.ended(trial, finished=False)
            return step
    pruner.ended(trial, finished=True)
    return None
