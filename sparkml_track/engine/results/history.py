"""What a journal says of a sweep: trials, their outcomes, what is published. Read for resume, verify and lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparkml_track.engine.records.entries import read_records, unreadable
from sparkml_track.engine.records.types import (
    Accepted,
    Asked,
    Ended,
    Extended,
    JournalRecord,
    Late,
    Logged,
    Lost,
    OfSweep,
    Parent,
    Plan,
    Published,
    Reported,
    Retried,
    Submitted,
    Suggested,
    UnitAccepted,
)
from sparkml_track.engine.results.attempt_history import AttemptHistory
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.records import child_run, result_of, suggested
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.results.work_clock import WorkClock
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.goal import Goal
from sparkml_track.journals import Record
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Counts, RunLog, State, Trial

__all__ = ["History"]


@dataclass
class History(AttemptHistory):
    """The state after all records of a journal; ``reports`` and ``logged`` go once they are published, unless kept.

    Attributes:
        plan: with the trials that it was extended to; None if the first driver died before it was durable.
        parent: the newest one, None before the parent run was created.
        trials: asked, by number.
        results: accepted, by number, in the order of acceptance.
        published: trials whose child run is terminal in the tracking store.
        ended: how, None if the last driver did not end the sweep.
        clock: how long drivers worked at it.
        stale: late answers that were refused, of all drivers.
        logs: of the accepted attempt, by trial, likewise.
        artifacts: folders that accepted attempts left, by trial.
        idle: slot seconds that drivers did not use, of those that ended; None if that is not known.
        curves: what some of the trials reported, also of those that are published.
        keep: whether reports and logs of published trials are kept.
        keep_logged: whether what they logged through MLflow is.
    """

    plan: Plan | None = None
    parent: Parent | None = None
    trials: dict[int, Trial] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)
    ended: Ended | None = None
    clock: WorkClock = field(default_factory=WorkClock)
    stale: int = 0
    logs: dict[int, str] = field(default_factory=dict)
    artifacts: dict[int, str] = field(default_factory=dict)
    idle: float | None = None
    curves: Curves = field(default_factory=lambda: Curves(Goal()))
    keep: bool = False
    keep_logged: bool = False

    @classmethod
    def of(cls, records: Iterable[Record], keep: bool = False, keep_logged: bool = False) -> History:
        """Reads records, oldest first.

        Args:
            records: of one sweep; kinds of later releases are passed over.
            keep: also reports and logs of trials that are published, which takes memory.
            keep_logged: what they logged through MLflow alone.

        Raises:
            JournalError: one is of a known kind and cannot be read.
        """
        history = cls(keep=keep, keep_logged=keep_logged)
        for record in read_records(records):
            history.add(record)
        history.clock.stop()
        return history

    def add(self, record: JournalRecord) -> None:
        """Takes the next record.

        Raises:
            JournalError: it says less than the plan asks for.
        """
        match record:
            case Asked() | Suggested():
                self._take_params(record)
            case Submitted():
                self._check_open(record)
                self._take_submitted(record)
            case Accepted():
                self._take_accepted(record)
            case UnitAccepted():
                self._take_unit(record)
            case Reported():
                self._take_reported(record)
            case Logged():
                self._take_logged(record)
            case Lost():
                self._take_lost(record)
            case _:
                self._add_of_sweep(record)

    # -- what follows from it

    @property
    def begun(self) -> Plan:
        """The plan.

        Raises:
            JournalError: there is none.
        """
        if self.plan is None:
            raise unreadable("the journal does not begin with a plan")
        return self.plan

    @property
    def goals(self) -> tuple[Goal, ...]:
        """One for each objective."""
        return self.begun.spec.goals

    @property
    def tracking(self) -> Tracking:
        """The choices that it began with."""
        return self.begun.spec.tracking

    @property
    def behind(self) -> int | None:
        """How far behind the trials lie that a suggestion used, None unless ``deterministic``."""
        return None if self.parent is None else self.parent.behind

    @property
    def used(self) -> float:
        """Seconds that drivers worked at it, by their clocks."""
        return self.clock.used

    @property
    def unfinished(self) -> list[Trial]:
        """Trials without an outcome, by number."""
        return [trial for number, trial in sorted(self.trials.items()) if number not in self.results]

    @property
    def planned(self) -> int:
        """How many trials there are to be: what the end said, else the limit, at least those that were asked."""
        if self.ended is not None:
            return max(self.ended.counts.planned, len(self.trials))
        return max(self.begun.spec.max_trials or 0, len(self.trials))

    @property
    def counts(self) -> Counts:
        """Trials by state, those without an outcome as running."""
        states = Counter(result.state for result in self.results.values())
        ended = {state.value: states[state] for state in State if state.terminal}
        running = len(self.trials) - len(self.results)
        return Counts(self.planned, running=running, not_started=self.planned - len(self.trials), **ended)

    def child(self, number: int) -> ChildRun:
        """The child run of an accepted trial; whole only if it was kept."""
        # The folder goes once it is published; then there is nothing to publish again.
        folder = self.artifacts.get(number, "")
        folder = folder if Path(folder).is_dir() else ""
        logged = RunLog.joined(self.logged.get(number, ()))
        return child_run(self.results[number], self.reports.get(number, ()), self.logs.get(number, ""), folder, logged)

    def recall(self, records: Iterable[Record]) -> None:
        """Takes reports and logs back that were let go, because nothing is published any more."""
        whole = History.of(records, keep=True)
        self.reports, self.logged, self.logs = whole.reports, whole.logged, whole.logs
        self.published.clear()

    # -- records

    def _add_of_sweep(self, record: OfSweep) -> None:
        match record:
            case Plan():
                self.plan, self.curves = record, Curves(record.spec.goals[0])
                self.several = record.spec.units > 1
            case Parent():
                self._take_parent(record)
            case Retried():
                self._take_retried(record)
            case Extended():
                self._take_extended(record)
            case Published():
                self._take_published(record)
            case Late():
                self.stale = record.answers
            case Ended():
                self._take_ended(record)

    def _take_parent(self, record: Parent) -> None:
        self.clock.begin(record.time or 0.0)
        self.parent = record
        self.ended = None

    def _take_params(self, record: Asked | Suggested) -> None:
        if isinstance(record, Suggested):
            self.trials[record.number] = suggested(record, self.trials.get(record.number))
            return
        if record.number in self.trials:
            self.problems.append(f"trial {record.number} was asked twice")
        self.trials[record.number] = Trial(record.number, record.params, record.seed)

    def _check_open(self, record: Submitted) -> None:
        number = record.attempt.trial
        if number in self.results:
            self.problems.append(
                f"attempt {record.attempt} was submitted after the outcome of trial {number} was accepted"
            )

    def _take_accepted(self, record: Accepted) -> None:
        number = record.number
        if number not in self.trials:
            self.problems.append(f"an outcome of trial {number} was accepted, which was never asked")
            return
        if number in self.results:
            self.problems.append(f"a second outcome of trial {number} was accepted; the first one counts")
            return
        try:
            self.results[number] = result_of(record, self.trials[number], [goal.metric for goal in self.goals])
        except KeyError as error:
            raise unreadable(f"the accepted outcome of trial {number} lacks the metric {error}") from error
        self._join_units(number, over=record.state in {State.FINISHED, State.PRUNED})
        self.curves.add(self.results[number], self.reports.get(number, ()))
        self.clock.seen(record.started + record.duration)
        if record.log:
            self.logs[number] = record.log
        if record.artifacts:
            self.artifacts[number] = record.artifacts

    def _take_extended(self, record: Extended) -> None:
        """The fingerprint stays: by it the sweep is found as it was planned."""
        self.ended = None
        self.plan = replace(self.begun, spec=replace(self.begun.spec, max_trials=record.max_trials))

    def _take_retried(self, record: Retried) -> None:
        self.ended = None
        for number in record.numbers:
            self.results.pop(number, None)
            self.published.discard(number)
            self._open_units(number)
            self.artifacts.pop(number, None)
            self.curves.drop(number)
            self._forget(number)

    def _take_published(self, record: Published) -> None:
        self.published.update(record.numbers)
        for number in () if self.keep else record.numbers:
            self._forget(number)

    def _take_ended(self, record: Ended) -> None:
        self.clock.seen(record.time)
        self.ended = record
        self.stale, self.idle = record.stale, self.idle if record.idle is None else record.idle

    def _forget(self, number: int) -> None:
        self.reports.pop(number, None)
        self.logs.pop(number, None)
        if not self.keep_logged:
            self.logged.pop(number, None)
