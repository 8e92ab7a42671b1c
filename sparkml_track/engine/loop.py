"""The loop: asks, submits, takes events, and tells; in that order, journal first.

Everything happens on the caller's thread but publishing. What an event changes is written to the journal before
the sampler, the publisher or the progress display learn of it.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sparkml_track.engine.ask import Asker
from sparkml_track.engine.records import accepted_body, child_run, last_reported
from sparkml_track.engine.spec import Spec
from sparkml_track.engine.summary import Result
from sparkml_track.errors import SweepStopped
from sparkml_track.executors import Ended, Event, Executor, Lost, Reported, Started
from sparkml_track.journals import Journal, Record
from sparkml_track.pruners import Pruner
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Attempt, Outcome, Report, State, Trial, Unit

__all__ = ["Loop", "Parts"]

#: Seconds after which a trial shows as RUNNING in the tracking store.
SHOWN_AFTER = 5.0
#: Seconds for which accepted results may be unsynced; they are written at once, and survive a killed driver.
SYNC_EVERY = 0.05
#: Seconds between looks at clock, publisher and progress.
TURN = 0.2


class _Publisher(Protocol):
    trouble: str

    def put(self, child: ChildRun) -> None: ...
    def check(self) -> None: ...


class Watcher(Protocol):
    """Looks at the loop once each turn: progress display, signals."""

    def __call__(self, loop: Loop) -> None: ...


@dataclass(frozen=True)
class Parts:
    """What the loop connects; it owns none of them."""

    asker: Asker
    pruner: Pruner | None
    executor: Executor
    journal: Journal
    publisher: _Publisher | None
    watch: Watcher
    published: deque[Sequence[int]] = field(default_factory=deque)


@dataclass
class _Live:
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


class Loop:
    """Runs one sweep to its end.

    Attributes:
        results: accepted, in the order they came.
        counts: of them, by state.
        best: of them, by the first objective.
        live: trials that have not ended, by number.
        stopping: why no more trials are started, empty while they are.
    """

    def __init__(self, spec: Spec, parts: Parts) -> None:
        self._spec = spec
        self._parts = parts
        self._sign = tuple(1.0 if direction == "minimize" else -1.0 for direction in spec.direction)
        self.results: list[Result] = []
        self.live: dict[int, _Live] = {}
        self.stopping = ""
        self.counts: Counter[State] = Counter()
        self.best: Result | None = None
        self._records: list[Record] = []
        self._began = self._turned = self._synced = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the loop was made."""
        return time.monotonic() - self._began

    @property
    def note(self) -> str:
        """What a person should know now, else empty."""
        publisher = self._parts.publisher
        return self.stopping or (publisher.trouble if publisher is not None else "")

    @property
    def planned(self) -> int | None:
        """How many trials there will be, as far as is known."""
        return self._parts.asker.planned

    def run(self) -> None:
        """Returns when every trial has ended.

        Raises:
            SweepStopped: more trials failed than ``failures.max_failed`` allows.
            ExecutorError, JournalError, TrackingDenied: as its parts raise; ``live`` then holds what had not ended.
        """
        while True:
            self._start_trials()
            if not self.live and (self.stopping or self._parts.asker.exhausted):
                self._write()
                return
            for event in self._parts.executor.events(TURN):
                self._handle(event)
            self._write()
            self._turn()

    def stop(self, why: str) -> None:
        """Starts no more trials and ends those that run; ``run`` returns when they have."""
        if self.stopping:
            return
        self.stopping = why
        for live in self.live.values():
            self._parts.executor.stop(live.attempt.id, "cancelled")

    def abandon(self, why: str) -> None:
        """Counts all that had not ended as killed; for when the executor can no longer end it."""
        for live in list(self.live.values()):
            self._accept(live, Outcome(State.KILLED, reason="cancelled", message=why, started=live.started))
        self._write()

    # -- starting

    def _start_trials(self) -> None:
        executor = self._parts.executor
        asker = self._parts.asker
        while not self.stopping and executor.room > 0:
            if asker.adaptive and len(self.live) >= executor.slots:
                return
            trial = asker.next()
            if trial is None:
                return
            self._record("asked", n=trial.number, params=trial.params, seed=trial.seed)
            attempt = Attempt(trial, Unit(trial.number), timeout=self._spec.trial_timeout)
            self.live[trial.number] = _Live(trial, attempt)
            self._submit(attempt)

    def _submit(self, attempt: Attempt) -> None:
        self._record("submitted", a=attempt.id)
        self._write()
        self._parts.executor.submit(attempt)

    # -- events

    def _handle(self, event: Event) -> None:
        if isinstance(event, Ended):
            live = self._current(event.attempt)
            if live is not None:
                self._accept(live, event.outcome)
        elif isinstance(event, Reported):
            self._reported(event)
        elif isinstance(event, Started):
            live = self._current(event.attempt)
            if live is not None:
                live.started, live.clock, live.host = event.time, time.monotonic(), event.host
        elif isinstance(event, Lost):
            self._lost(event)

    def _current(self, attempt: str) -> _Live | None:
        """The trial whose current attempt this is; others are stale."""
        live = self.live.get(int(attempt.partition(".")[0]))
        return live if live is not None and live.attempt.id == attempt else None

    def _reported(self, event: Reported) -> None:
        live = self._current(event.attempt)
        if live is None:
            return
        report = event.report
        self._record("reported", a=event.attempt, step=report.step, metrics=dict(report.metrics), t=report.time)
        live.reports.append(report)
        value = report.metrics.get(self._spec.metric[0])
        pruner = self._parts.pruner
        if pruner is not None and value is not None and not live.pruned:
            live.pruned = pruner.report(live.trial.number, report.step, value * self._sign[0])
        self._write()
        self._parts.executor.answer(event.attempt, event.index, live.pruned)

    def _lost(self, event: Lost) -> None:
        live = self._current(event.attempt)
        if live is None:
            return
        self._record("lost", a=event.attempt, why=event.message, charged=event.charged, host=live.host)
        live.charged += event.charged
        if self.stopping:
            self._accept(live, Outcome(State.KILLED, reason="cancelled", message=self.stopping, started=live.started))
        elif live.charged > self._spec.failures.retries:
            message = f"lost {live.charged} times, the last time: {event.message}"
            self._accept(live, Outcome(State.FAILED, reason="worker lost", message=message, started=live.started))
        else:
            self._retry(live)

    def _retry(self, live: _Live) -> None:
        live.attempt = replace(live.attempt, number=live.attempt.number + 1)
        live.attempts += 1
        live.reports.clear()
        live.pruned = False
        if self._parts.pruner is not None:
            self._parts.pruner.restarted(live.trial.number)
        self._submit(live.attempt)

    def _accept(self, live: _Live, outcome: Outcome) -> None:
        trial = live.trial
        result = Result(
            number=trial.number,
            params=trial.params,
            state=outcome.state,
            metrics=outcome.metrics or last_reported(live.reports, outcome.state),
            value=self._values(outcome),
            attempts=live.attempts,
            started=outcome.started or live.started,
            duration=outcome.duration,
            reason=outcome.reason,
            message=outcome.message,
            host=outcome.host or live.host,
        )
        self._record("accepted", **accepted_body(result, outcome.log))
        self._write()
        del self.live[trial.number]
        self.results.append(result)
        self._tell(live, result, outcome)

    def _values(self, outcome: Outcome) -> tuple[float, ...] | None:
        if outcome.state is not State.FINISHED:
            return None
        return tuple(outcome.metrics[name] for name in self._spec.metric)

    def _tell(self, live: _Live, result: Result, outcome: Outcome) -> None:
        finished = result.state is State.FINISHED
        values = result.value or tuple(
            result.metrics[name]
            for name in self._spec.metric
            if result.state is State.PRUNED and name in result.metrics
        )
        self._parts.asker.ended(
            live.trial, result.state, tuple(v * s for v, s in zip(values, self._sign, strict=False))
        )
        if self._parts.pruner is not None:
            self._parts.pruner.ended(live.trial.number, finished)
        if self._parts.publisher is not None:
            self._parts.publisher.put(child_run(result, live.reports, outcome.log))
        self._count(result)

    def _count(self, result: Result) -> None:
        self.counts[result.state] += 1
        value = result.value
        if value is not None and math.isfinite(value[0]):
            best = self.best
            if best is None or best.value is None or value[0] * self._sign[0] < best.value[0] * self._sign[0]:
                self.best = result
        if self.too_many_failed and not self.stopping:
            failed, limit = self.counts[State.FAILED], self._spec.failures.max_failed
            self.stop(f"{failed} trials failed, allowed are {limit}; the last one: {result.message[:300]}")

    @property
    def too_many_failed(self) -> bool:
        """Whether more trials failed than the spec allows."""
        limit = self._spec.failures.max_failed
        return limit is not None and self.counts[State.FAILED] > limit

    # -- journal and clock

    def _record(self, kind: str, **body: object) -> None:
        self._records.append(Record(kind, body))

    def _write(self) -> None:
        if self._records:
            records, self._records = self._records, []
            self._parts.journal.append(records)

    def _turn(self) -> None:
        now = time.monotonic()
        if now - self._synced >= SYNC_EVERY:
            self._synced = now
            self._parts.journal.flush()
        if now - self._turned < TURN:
            return
        self._turned = now
        self.note_published()
        if self._parts.publisher is not None:
            self._parts.publisher.check()
            self._show_running(self._parts.publisher, now)
        if self._spec.timeout is not None and self.elapsed > self._spec.timeout:
            self.stop(f"the sweep's timeout of {self._spec.timeout:g} s is over")
        self._parts.watch(self)

    def note_published(self) -> None:
        """Writes down which child runs the tracking store has."""
        while self._parts.published:
            self._record("published", n=list(self._parts.published.popleft()))
        self._write()

    def _show_running(self, publisher: _Publisher, now: float) -> None:
        for live in self.live.values():
            if live.clock and not live.shown and now - live.clock > SHOWN_AFTER:
                live.shown = True
                params = flatten(live.trial.params)
                publisher.put(ChildRun(live.trial.number, params, State.RUNNING, started=live.started, host=live.host))

    def raise_if_stopped(self) -> None:
        """Raises why the sweep stopped early, if it was for failures.

        Raises:
            SweepStopped: the message says what failed and what to do.
        """
        if self.too_many_failed:
            raise SweepStopped(
                f"{self.stopping}. Results so far are kept. Mend the objective and start anew, or allow more with "
                "failures=Failures(max_failed=...)"
            )
