"""What a journal says of the units of one trial, where trials have several."""

from __future__ import annotations

from dataclasses import dataclass, field

from sparkml_track.engine.records.types import Logged, Lost, Reported, Submitted, UnitAccepted
from sparkml_track.engine.results.unit_results import in_order
from sparkml_track.trial import Report, RunLog, State

__all__ = ["UnitHistory"]


@dataclass
class UnitHistory:
    """Of one trial, by the index of the unit.

    Attributes:
        attempts: the highest attempt number submitted.
        charged: losses that count.
        ended: accepted outcomes.
    """

    attempts: dict[int, int] = field(default_factory=dict)
    charged: dict[int, int] = field(default_factory=dict)
    ended: dict[int, UnitAccepted] = field(default_factory=dict)
    _reports: dict[int, list[Report]] = field(default_factory=dict)
    _logged: dict[int, list[RunLog]] = field(default_factory=dict)

    @property
    def reports(self) -> list[Report]:
        """Of units that ended, one after another: what was ended because its trial ends has said nothing."""
        return list(in_order(self.accepted_reports))

    @property
    def accepted_reports(self) -> dict[int, list[Report]]:
        """Of units that ended."""
        return {unit: self._reports.get(unit, []) for unit in self.ended}

    @property
    def accepted_logs(self) -> dict[int, list[RunLog]]:
        """Likewise, what they logged through MLflow."""
        return {unit: self._logged.get(unit, []) for unit in self.ended}

    @property
    def logged(self) -> list[RunLog]:
        """Likewise, what they logged through MLflow."""
        return list(in_order(self.accepted_logs))

    def submitted(self, record: Submitted) -> list[str]:
        """Takes an attempt; what contradicts others, for a person."""
        attempt, unit = record.attempt, record.attempt.unit
        problems = []
        if attempt.number <= self.attempts.get(unit, 0):
            problems.append(f"attempt {attempt} was submitted twice")
        if unit in self.ended:
            problems.append(f"attempt {attempt} was submitted after the outcome of its unit was accepted")
        self.attempts[unit] = attempt.number
        self._reports.pop(unit, None)
        self._logged.pop(unit, None)
        return problems

    def accepted(self, record: UnitAccepted) -> list[str]:
        """Takes an outcome; what contradicts others, for a person."""
        trial, unit = record.attempt.trial, record.attempt.unit
        if unit in self.ended:
            return [f"a second outcome of unit {unit} of trial {trial} was accepted; the first one counts"]
        if unit not in self.attempts:
            return [f"an outcome of unit {unit} of trial {trial} was accepted, which was never submitted"]
        self.ended[unit] = record
        return []

    def reported(self, record: Reported) -> None:
        """Takes a report, unless a later attempt was submitted."""
        attempt = record.attempt
        if attempt.number == self.attempts.get(attempt.unit):
            self._reports.setdefault(attempt.unit, []).append(Report(record.metrics, record.step, record.time))

    def took_log(self, record: Logged) -> None:
        """Likewise, what was logged through MLflow."""
        attempt = record.attempt
        if attempt.number == self.attempts.get(attempt.unit):
            self._logged.setdefault(attempt.unit, []).append(record.log)

    def lost(self, record: Lost) -> None:
        """Takes a loss."""
        unit = record.attempt.unit
        self.charged[unit] = self.charged.get(unit, 0) + record.charged

    def again(self) -> None:
        """The trial is executed again: units that finished stay as they are."""
        self.ended = {unit: record for unit, record in self.ended.items() if record.state is State.FINISHED}
        self.charged.clear()
        for kept in (self._reports, self._logged):
            for unit in kept.keys() - self.ended.keys():
                del kept[unit]
