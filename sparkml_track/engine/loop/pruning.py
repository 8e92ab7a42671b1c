"""What the pruner gets of running trials: their reports; of trials with several units the means so far."""

from __future__ import annotations

from collections.abc import Mapping

from sparkml_track.engine.loop.running_trial import RunningTrial
from sparkml_track.engine.loop.tally import Tally
from sparkml_track.engine.records import types as records
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.pruners import Pruner
from sparkml_track.trial import Outcome, State

__all__ = ["Pruning"]


class Pruning:
    """Asks the pruner, if there is one.

    Args:
        pruner: of the sweep, or None.
        spec: its first metric is what the pruner decides by.
        tally: counts reports that lack it.
    """

    def __init__(self, pruner: Pruner | None, spec: Spec, tally: Tally) -> None:
        self._pruner, self._tally = pruner, tally
        self._metric, self._goal, self._several = spec.metric, spec.goals[0], spec.units.several

    def reported(self, live: RunningTrial, step: int, metrics: Mapping[str, float]) -> None:
        """Takes a report; those of one of several units decide nothing, as their steps are not the trial's."""
        if not self._several:
            self._judge(live, step, metrics)

    def unit_ended(self, live: RunningTrial, last: records.UnitAccepted) -> records.Reported | None:
        """Takes the means so far: the trial may be spared the rest of its units. What the journal is to have of it."""
        report = None if self._pruner is None else live.take_mean(last, self._metric)
        if report is not None:
            self._judge(live, report.step, report.metrics)
        if live.pruned and not live.over:
            live.give_up(Outcome(State.PRUNED, reason="pruned"))
        return report

    def _judge(self, live: RunningTrial, step: int, metrics: Mapping[str, float]) -> None:
        value = metrics.get(self._metric[0])
        if self._pruner is None:
            return
        if value is None:
            self._tally.unread(live.trial.number, metrics)
        elif not live.pruned:
            live.pruned = self._pruner.report(live.trial.number, step, self._goal.loss(value))

    def restarted(self, live: RunningTrial) -> None:
        """A trial begins anew; of several units one does, and the others' means stay."""
        if self._pruner is not None and not self._several:
            self._pruner.restarted(live.trial.number)

    def ended(self, number: int, state: State) -> None:
        """A trial ended."""
        if self._pruner is not None:
            self._pruner.ended(number, state is State.FINISHED)
