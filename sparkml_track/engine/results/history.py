"""What a journal says of a sweep: trials, their outcomes, what is published. Read for resume, verify and lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkml_track.engine.results.records import child_run, result_of
from sparkml_track.engine.results.summary import Counts, Result
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import JournalError
from sparkml_track.journals import Record
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import AttemptId, Report, State, Trial

__all__ = ["History"]

Body = Mapping[str, Any]


@dataclass
class History:
    """The state after all records of a journal.

    Attributes:
        plan: body of the ``plan`` record; empty if the first driver died before it was durable.
        parent: run id and experiment id, None before the parent run was created.
        behind: how far behind the trials lie that a suggestion used, None unless ``deterministic``.
        trials: asked, by number.
        results: accepted, by number, in the order of acceptance.
        attempts: the highest attempt number submitted, by trial.
        charged: losses that count against a trial, by trial.
        published: trials whose child run is terminal in the tracking store.
        ended: body of the ``ended`` record, None if the last driver did not end the sweep.
        used: seconds that drivers worked at it, by their clocks.
        stale: late answers that were refused, of all drivers.
        problems: records that contradict others, for a person.
        reports: of the latest attempt, by trial; only what is not published, unless kept.
        logs: of the accepted attempt, likewise.
        artifacts: folders that accepted attempts left, by trial.
        keep: whether reports and logs of published trials are kept.
    """

    plan: Body = field(default_factory=dict)
    parent: tuple[str, str] | None = None
    behind: int | None = None
    trials: dict[int, Trial] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    charged: dict[int, int] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)
    ended: Body | None = None
    used: float = 0.0
    stale: int = 0
    problems: list[str] = field(default_factory=list)
    reports: dict[int, list[Report]] = field(default_factory=dict)
    logs: dict[int, str] = field(default_factory=dict)
    artifacts: dict[int, str] = field(default_factory=dict)
    _began: float = 0.0
    _last: float = 0.0
    keep: bool = False

    @classmethod
    def of(cls, records: Iterable[Record], keep: bool = False) -> History:
        """Reads records, oldest first.

        Args:
            records: of one sweep.
            keep: also reports and logs of trials that are published, which takes memory.
        """
        history = cls(keep=keep)
        for record in records:
            history.add(record)
        history._stop_clock()
        return history

    def add(self, record: Record) -> None:
        """Takes the next record; kinds of later releases are passed over.

        Raises:
            JournalError: it is of a known kind and cannot be read.
        """
        take = getattr(self, f"_take_{record.kind}", None)
        if take is None:
            return
        try:
            take(record.body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise JournalError(
                f"a record of kind {record.kind!r} is not as this release writes it ({type(error).__name__}: {error}); "
                "open the sweep with the release that wrote it, or start anew with resume='never'"
            ) from error

    # -- what follows from it

    @property
    def metric(self) -> tuple[str, ...]:
        """Names of the objectives."""
        return tuple(self.plan["spec"]["metric"])

    @property
    def direction(self) -> tuple[str, ...]:
        """Of each objective."""
        return tuple(self.plan["spec"]["direction"])

    @property
    def tracking(self) -> Tracking:
        """The choices that it began with. Plans of earlier releases do not say what is kept: all."""
        given = self.plan["spec"]["tracking"]
        return Tracking(given["uri"], given["child_runs"], given.get("keep", "all"))

    @property
    def unfinished(self) -> list[Trial]:
        """Trials without an outcome, by number."""
        return [trial for number, trial in sorted(self.trials.items()) if number not in self.results]

    @property
    def planned(self) -> int:
        """How many trials there are to be: what the end said, else the limit, at least those that were asked."""
        if self.ended is not None:
            return max(int(self.ended["counts"]["planned"]), len(self.trials))
        return max(int(self.plan["spec"]["max_trials"] or 0), len(self.trials))

    @property
    def counts(self) -> Counts:
        """Trials by state, those without an outcome as running."""
        states = [result.state for result in self.results.values()]
        running = len(self.trials) - len(self.results)
        return Counts(
            planned=self.planned,
            finished=states.count(State.FINISHED),
            pruned=states.count(State.PRUNED),
            failed=states.count(State.FAILED),
            killed=states.count(State.KILLED),
            running=running,
            not_started=self.planned - len(self.trials),
        )

    def child(self, number: int) -> ChildRun:
        """The child run of an accepted trial; whole only if it was kept."""
        # The folder goes once it is published; then there is nothing to publish again.
        folder = self.artifacts.get(number, "")
        folder = folder if Path(folder).is_dir() else ""
        return child_run(self.results[number], self.reports.get(number, ()), self.logs.get(number, ""), folder)

    def recall(self, records: Iterable[Record]) -> None:
        """Takes reports and logs back that were let go, because nothing is published any more."""
        whole = History.of(records, keep=True)
        self.reports, self.logs = whole.reports, whole.logs
        self.published.clear()

    # -- records

    def _take_plan(self, body: Body) -> None:
        self.plan = body

    def _take_parent(self, body: Body) -> None:
        self._stop_clock()
        self._began = self._last = float(body.get("t", 0.0))
        self.parent = (str(body["run"]), str(body["experiment"]))
        self.behind = body.get("behind")
        self.ended = None

    def _take_asked(self, body: Body) -> None:
        number = int(body["n"])
        if number in self.trials:
            self.problems.append(f"trial {number} was asked twice")
        self.trials[number] = Trial(number, body["params"], int(body["seed"]))

    def _take_submitted(self, body: Body) -> None:
        number, attempt = _attempt(body)
        if attempt <= self.attempts.get(number, 0):
            self.problems.append(f"attempt {body['a']} was submitted twice")
        if number in self.results:
            self.problems.append(f"attempt {body['a']} was submitted after the outcome of trial {number} was accepted")
        self.attempts[number] = attempt
        self.reports.pop(number, None)

    def _take_reported(self, body: Body) -> None:
        number, attempt = _attempt(body)
        if attempt == self.attempts.get(number):
            report = Report(body["metrics"], int(body["step"]), float(body["t"]))
            self.reports.setdefault(number, []).append(report)

    def _take_lost(self, body: Body) -> None:
        number = _attempt(body)[0]
        self.charged[number] = self.charged.get(number, 0) + bool(body["charged"])

    def _take_accepted(self, body: Body) -> None:
        number = int(body["n"])
        if number not in self.trials:
            self.problems.append(f"an outcome of trial {number} was accepted, which was never asked")
            return
        if number in self.results:
            self.problems.append(f"a second outcome of trial {number} was accepted; the first one counts")
            return
        self.results[number] = result = result_of(body, self.trials[number], self.metric)
        self._last = max(self._last, result.started + result.duration)
        if body.get("log"):
            self.logs[number] = str(body["log"])
        if body.get("artifacts"):
            self.artifacts[number] = str(body["artifacts"])

    def _take_retried(self, body: Body) -> None:
        self.ended = None
        for number in body["n"]:
            self.results.pop(number, None)
            self.published.discard(number)
            self.charged.pop(number, None)
            self.artifacts.pop(number, None)
            self._forget(number)

    def _take_published(self, body: Body) -> None:
        for number in body["n"]:
            self.published.add(number)
            if not self.keep:
                self._forget(number)

    def _take_late(self, body: Body) -> None:
        self.stale = int(body["n"])

    def _take_ended(self, body: Body) -> None:
        self._last = max(self._last, float(body.get("t", 0.0)))
        self.ended = body
        self.stale = int(body.get("stale", 0))

    def _forget(self, number: int) -> None:
        self.reports.pop(number, None)
        self.logs.pop(number, None)

    def _stop_clock(self) -> None:
        # Clocks may jump back between two drivers.
        self.used += max(0.0, self._last - self._began) if self._began else 0.0
        self._began = 0.0


def _attempt(body: Body) -> tuple[int, int]:
    """Trial and attempt number of an attempt's id."""
    attempt = AttemptId.parse(str(body["a"]))
    return attempt.trial, attempt.number
