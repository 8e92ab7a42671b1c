"""Trials that have not ended: of this driver, and of an earlier one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sparkml_track.engine.records import types as records
from sparkml_track.engine.results.records import child_run, last_reported, values_of
from sparkml_track.engine.results.summary import Result
from sparkml_track.executors import Lost
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Attempt, Outcome, Report, RunLog, State, Trial, Unit

__all__ = ["Again", "RunningTrial"]


@dataclass
class RunningTrial:
    """A trial that has not ended."""

    trial: Trial
    attempt: Attempt
    started: float = 0.0
    clock: float = 0.0
    charged: int = 0
    attempts: int = 1
    host: str = ""
    shown: bool = False
    pruned: bool = False
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
        self.attempts += 1
        self.clock = 0.0
        self.reports.clear()
        self.logged.clear()
        self.pruned = False

    def result(self, outcome: Outcome, metric: Sequence[str], stopping: str) -> Result:
        """What is accepted of it.

        Args:
            outcome: of its attempt.
            metric: the names that are optimised.
            stopping: why the sweep ends, for those that it ended.
        """
        return Result(
            number=self.trial.number,
            params=self.trial.params,
            state=outcome.state,
            metrics=outcome.metrics or last_reported(self.reports, outcome.state),
            value=values_of(outcome.state, outcome.metrics, metric),
            attempts=self.attempts,
            started=outcome.started or self.started,
            # Slots may take it from a clock that was set back.
            duration=max(0.0, outcome.duration),
            reason=outcome.reason,
            message=f"ended: {stopping}" if outcome.reason == "cancelled" else outcome.message,
            host=outcome.host or self.host,
            artifacts=outcome.artifacts if outcome.in_place else "",
        )

    def take_logged(self, log: RunLog) -> records.Logged:
        """Takes what its attempt logged through MLflow; what the journal is to have of it."""
        self.logged.append(log)
        return records.Logged(self.attempt.attempt_id, log)

    def child_run(self, result: Result, outcome: Outcome) -> ChildRun:
        """The child run of its end."""
        return child_run(result, self.reports, outcome.log, outcome.artifacts, RunLog.joined(self.logged))

    def running_run(self) -> ChildRun:
        """The child run while it runs."""
        params = flatten(self.trial.params)
        return ChildRun(self.trial.number, params, State.RUNNING, started=self.started, host=self.host)

    def with_losses(self, outcome: Outcome) -> Outcome:
        """The outcome with the log of the child run: what became of earlier attempts, then that of the last one."""
        return replace(outcome, log="\n".join([*self.losses, outcome.log]).strip()) if self.losses else outcome


@dataclass(frozen=True, slots=True)
class Again:
    """A trial of an earlier driver that is executed again.

    Attributes:
        trial: as it was asked.
        attempts: how many there were.
        charged: losses of them that count against it.
    """

    trial: Trial
    attempts: int
    charged: int

    def next(self, timeout: float | None) -> RunningTrial:
        """The next attempt at it."""
        number = self.attempts + 1
        attempt = Attempt(self.trial, Unit(self.trial.number), number, timeout)
        return RunningTrial(self.trial, attempt, charged=self.charged, attempts=number)
