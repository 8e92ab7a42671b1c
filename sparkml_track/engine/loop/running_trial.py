"""Trials that have not ended, of this driver or of an earlier one, and their units that are executed."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sparkml_track.engine.loop.unit_files import with_folder
from sparkml_track.engine.records import types as records
from sparkml_track.engine.results.records import child_run, last_reported, values_of
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.results.unit_results import failed_units, in_order, means, outcome_of_units
from sparkml_track.engine.spec.units import ONE, Units
from sparkml_track.executors import Lost
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Attempt, Outcome, Params, Report, RunLog, State, Trial, Unit

__all__ = ["RunningTrial", "RunningUnit"]


@dataclass(slots=True)
class RunningUnit:
    """A unit that was handed out and has not ended, with its current attempt."""

    of: RunningTrial
    attempt: Attempt
    charged: int = 0
    started: float = 0.0
    host: str = ""
    reports: list[Report] = field(default_factory=list)
    logged: list[RunLog] = field(default_factory=list)
    losses: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def lost(self, event: Lost) -> records.Lost:
        """Takes the loss of its attempt; what the journal is to have of it."""
        now = time.time()
        self.charged += event.charged
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
        where = f" on {self.host}" if self.host else ""
        self.losses.append(f"attempt {self.attempt.number} was lost{where} at {when} UTC: {event.message}")
        return records.Lost(self.attempt.attempt_id, event.message, event.charged, self.host, now)

    def retry(self) -> None:
        """Its next attempt begins from nothing."""
        self.attempt = replace(self.attempt, number=self.attempt.number + 1)
        self.of.attempts = max(self.of.attempts, self.attempt.number)
        if not self.of.plan.several:
            self.of.since, self.of.pruned = 0.0, False
        self.reports.clear()
        self.logged.clear()

    def take_report(self, report: Report) -> records.Reported:
        """Takes what its attempt reported, of one of several units under its names; what the journal is to have."""
        if self.of.plan.several:
            prefix = self.of.plan.name(self.attempt.unit.index)
            report = replace(report, metrics={prefix + name: value for name, value in report.metrics.items()})
        self.reports.append(report)
        return records.Reported(self.attempt.attempt_id, report.step, report.metrics, report.time)

    def take_logged(self, log: RunLog) -> records.Logged:
        """Takes what its attempt logged through MLflow; what the journal is to have of it."""
        self.logged.append(log)
        return records.Logged(self.attempt.attempt_id, log)

    def with_losses(self, outcome: Outcome) -> Outcome:
        """The outcome with the whole log: what became of earlier attempts, then that of the last one."""
        return replace(outcome, log="\n".join([*self.losses, outcome.log]).strip()) if self.losses else outcome

    def accepted(self, outcome: Outcome) -> records.UnitAccepted:
        """What the journal is to have of its end, as one of several."""
        outcome = with_folder(self.with_losses(outcome), self.attempt, self.of.plan)
        return records.UnitAccepted(
            attempt=self.attempt.attempt_id,
            state=outcome.state,
            metrics=outcome.metrics,
            started=outcome.started or self.started,
            duration=max(0.0, outcome.duration),
            host=outcome.host or self.host,
            reason=outcome.reason,
            message=outcome.message,
            log=outcome.log,
            artifacts=outcome.artifacts,
            in_place=outcome.in_place,
            usage=outcome.usage,
        )


@dataclass(slots=True)
class RunningTrial:
    """A trial that has not ended.

    Attributes:
        trial: as it was asked.
        plan: how many units it has.
        left: indices of units that were not handed out, the next one last.
        units: that are executed, by index.
        ended: those that ended, where there are several.
        end: why it ends before all of its units have; None while it goes on.
        tried: attempts that earlier drivers made, by unit; None if there was none.
        charged: losses that count, likewise.
        attempts: how many there were, at the unit that took most.
        since: when it began in a slot, by a clock that nobody sets; 0 if it waits for one.
        shown: the tracking store has it as running.
        pruned: it was decided that it stops.
        reports: of units that ended, by index.
        logged: likewise, through MLflow.
    """

    trial: Trial
    plan: Units = ONE
    left: list[int] = field(default_factory=list)
    units: dict[int, RunningUnit] = field(default_factory=dict)
    ended: dict[int, records.UnitAccepted] = field(default_factory=dict)
    end: Outcome | None = None
    tried: Mapping[int, int] | None = None
    charged: Mapping[int, int] | None = None
    attempts: int = 0
    since: float = 0.0
    shown: bool = False
    pruned: bool = False
    reports: dict[int, list[Report]] = field(default_factory=dict)
    logged: dict[int, list[RunLog]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether it can be accepted: nothing of it is executed, and nothing is to come."""
        return not self.units and not self.left

    @property
    def started(self) -> float:
        """When the first of its units began, in seconds since the epoch; 0 if none has."""
        times = [unit.started for unit in self.units.values()] + [one.started for one in self.ended.values()]
        return min(filter(None, times), default=0.0)

    @property
    def host(self) -> str:
        """Where it is executed."""
        return ", ".join(dict.fromkeys(unit.host for unit in self.units.values() if unit.host))

    # -- units

    def next(self, timeout: float | None) -> RunningUnit:
        """Hands out the next of the units that are left."""
        index = self.left.pop()
        number = 1 if self.tried is None else self.tried.get(index, 0) + 1
        self.attempts = max(self.attempts, number)
        attempt = Attempt(self.trial, Unit(self.trial.number, index), number, timeout)
        charged = 0 if self.charged is None else self.charged.get(index, 0)
        unit = self.units[index] = RunningUnit(self, attempt, charged)
        return unit

    def take(self, unit: RunningUnit, outcome: Outcome) -> records.UnitAccepted | None:
        """Takes the end of one of several units; what the journal is to have of it.

        Returns:
            None of a unit that was ended because its trial or the sweep ends: it has no outcome.
        """
        index = unit.attempt.unit.index
        del self.units[index]
        if outcome.reason == "cancelled":
            self.give_up(outcome)
            return None
        self.reports[index], self.logged[index] = unit.reports, unit.logged
        record = self.ended[index] = unit.accepted(outcome)
        self.judge(record)
        return record

    def judge(self, record: records.UnitAccepted) -> None:
        """It ends with a unit that did not finish, unless that counts as another value."""
        if record.state is State.PRUNED or (record.state is not State.FINISHED and self.plan.instead is None):
            self.give_up(Outcome(record.state, reason=record.reason, message=record.message))

    def take_mean(self, last: records.UnitAccepted, metric: Sequence[str]) -> records.Reported | None:
        """Reports the means over the units that ended; None while none has a value."""
        found = means(self.plan, self.ended)
        metrics = {name: found[name] for name in metric if name in found}
        if not metrics:
            return None
        report = Report(metrics, len(self.ended), time.time())
        self.reports[last.attempt.unit].append(report)
        return records.Reported(last.attempt, report.step, metrics, report.time)

    def give_up(self, end: Outcome) -> None:
        """It ends once its units that are executed have; the first reason counts."""
        self.end = self.end or end
        self.left.clear()

    # -- its end

    def close(self, outcome: Outcome | None, metric: Sequence[str]) -> Outcome:
        """Its outcome.

        Args:
            outcome: of its one unit; of several why it ends before they have, None if they have.
            metric: the names that are optimised.
        """
        if self.plan.count > 1:
            if outcome is not None:
                self.give_up(outcome)
            return outcome_of_units(self.plan, self.ended, metric, self.end)
        assert outcome is not None
        for unit in self.units.values():
            self.reports[0], self.logged[0] = unit.reports, unit.logged
            outcome = unit.with_losses(outcome)
        return outcome

    def result(self, outcome: Outcome, metric: Sequence[str], stopping: str) -> Result:
        """What is accepted of it.

        Args:
            outcome: as ``close`` gave it.
            metric: the names that are optimised.
            stopping: why the sweep ends, for those that it ended.
        """
        return Result(
            number=self.trial.number,
            params=self.trial.params,
            state=outcome.state,
            metrics=outcome.metrics or last_reported(in_order(self.reports), outcome.state),
            value=values_of(outcome.state, outcome.metrics, metric),
            attempts=self.attempts,
            started=outcome.started or self.started,
            # Slots may take it from a clock that was set back.
            duration=max(0.0, outcome.duration),
            reason=outcome.reason,
            message=f"ended: {stopping}" if outcome.reason == "cancelled" else outcome.message,
            host=outcome.host or self.host,
            artifacts=outcome.artifacts if outcome.in_place else "",
            busy=self._busy(outcome),
            failed_units=failed_units(self.ended) if self.ended else (),
            usage=outcome.usage,
        )

    def _busy(self, outcome: Outcome) -> float | None:
        if self.plan.count > 1:
            return self.plan.gang * math.fsum(one.duration for one in self.ended.values())
        return self.plan.gang * max(0.0, outcome.duration) if self.plan.gang > 1 else None

    def suggested(self, params: Params) -> records.Suggested:
        """Takes params that were suggested while it runs; what the journal is to have of them."""
        self.trial = replace(self.trial, params={**self.trial.params, **params})
        return records.Suggested(self.trial.number, params)

    def child_run(self, result: Result, outcome: Outcome) -> ChildRun:
        """The child run of its end."""
        logged = RunLog.joined(in_order(self.logged))
        return child_run(result, in_order(self.reports), outcome.log, outcome.artifacts, logged)

    def running_run(self) -> ChildRun:
        """The child run while it runs."""
        params = flatten(self.trial.params)
        return ChildRun(self.trial.number, params, State.RUNNING, started=self.started, host=self.host)
