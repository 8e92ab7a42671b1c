"""What a journal says of attempts: how many there were, and what the latest ones reported."""

from __future__ import annotations

from dataclasses import dataclass, field

from sparkml_track.engine.records.types import Logged, Lost, Reported, Submitted, UnitAccepted
from sparkml_track.engine.results.unit_history import UnitHistory
from sparkml_track.trial import Report, RunLog

__all__ = ["AttemptHistory"]


@dataclass
class AttemptHistory:
    """The state of attempts after all records of a journal.

    Attributes:
        attempts: the highest attempt number submitted, by trial.
        charged: losses that count against a trial, by trial.
        units: where trials have several, those of trials that may be executed again; by trial.
        reports: of the latest attempt, by trial; of several units once the trial ended.
        logged: through MLflow, likewise.
        problems: records that contradict others, for a person.
        several: trials have several units.
    """

    attempts: dict[int, int] = field(default_factory=dict)
    charged: dict[int, int] = field(default_factory=dict)
    units: dict[int, UnitHistory] = field(default_factory=dict)
    reports: dict[int, list[Report]] = field(default_factory=dict)
    logged: dict[int, list[RunLog]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    several: bool = False

    def _units_of(self, number: int) -> UnitHistory:
        return self.units.setdefault(number, UnitHistory())

    def _take_submitted(self, record: Submitted) -> None:
        attempt, number = record.attempt, record.attempt.trial
        before = self.attempts.get(number, 0)
        if self.several:
            self.problems += self._units_of(number).submitted(record)
            self.attempts[number] = max(attempt.number, before)
            return
        if attempt.number <= before:
            self.problems.append(f"attempt {attempt} was submitted twice")
        self.attempts[number] = attempt.number
        self.reports.pop(number, None)
        self.logged.pop(number, None)

    def _take_unit(self, record: UnitAccepted) -> None:
        self.problems += self._units_of(record.attempt.trial).accepted(record)

    def _take_logged(self, record: Logged) -> None:
        number = record.attempt.trial
        if self.several:
            self._units_of(number).took_log(record)
        elif record.attempt.number == self.attempts.get(number):
            self.logged.setdefault(number, []).append(record.log)

    def _take_reported(self, record: Reported) -> None:
        number = record.attempt.trial
        if self.several:
            self._units_of(number).reported(record)
        elif record.attempt.number == self.attempts.get(number):
            self.reports.setdefault(number, []).append(Report(record.metrics, record.step, record.time))

    def _take_lost(self, record: Lost) -> None:
        number = record.attempt.trial
        if self.several:
            self._units_of(number).lost(record)
        self.charged[number] = self.charged.get(number, 0) + record.charged

    def _join_units(self, number: int, *, over: bool) -> None:
        """What the units of a trial that ended have of reports and logs is the trial's; ``over``: it ended for good."""
        units = self.units.get(number)
        if units is None:
            return
        self.reports |= {number: units.reports} if units.reports else {}
        self.logged |= {number: units.logged} if units.logged else {}
        if over:
            del self.units[number]

    def _open_units(self, number: int) -> None:
        """The trial is executed again."""
        self.charged.pop(number, None)
        if number in self.units:
            self.units[number].again()
