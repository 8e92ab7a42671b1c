"""The loop: asks, submits, takes events, and passes results on; in that order, journal first.

All is done on the caller's thread but publishing and slow samplers; the store learns of what is durable in the journal.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from sparkml_track.engine.loop.journal_writer import JournalWriter
from sparkml_track.engine.loop.ports import Parts, Queue
from sparkml_track.engine.loop.running_trial import Again, RunningTrial
from sparkml_track.engine.loop.slot_watch import SlotWatch
from sparkml_track.engine.loop.tally import Tally
from sparkml_track.engine.loop.unit_scheduler import UnitScheduler
from sparkml_track.engine.records import types as records
from sparkml_track.engine.results.records import accepted, losses_of
from sparkml_track.engine.results.summary import Result, Summary, summarise
from sparkml_track.engine.spec.lifecycle import Lifecycle
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.errors import TrackingError
from sparkml_track.executors import Ended, Event, Logged, Lost, Reported, SlotsChanged, Started
from sparkml_track.trial import Attempt, AttemptId, Outcome, Report, State

__all__ = ["Loop", "Parts"]

#: Seconds after which a trial shows as RUNNING in the tracking store.
SHOWN_AFTER = 5.0
#: Seconds between looks at clock, publisher and progress.
TURN = 0.2


class Loop:
    """Runs one sweep to its end.

    Attributes:
        results: accepted, in the order they came.
        tally: counts and the best of them.
        live: trials that have not ended, by number.
        stopping: why no more trials are started, empty while they are.
        refused: the tracking store's refusal for good; no more trials are started then, and those that run may end.
        slots: how many there are, and what they did not use.
        used: seconds that earlier drivers worked at the sweep.
        stale: late answers that were refused by earlier drivers and here; the executor counts its own.
    """

    def __init__(self, spec: Spec, parts: Parts) -> None:
        self._spec = spec
        self._parts = parts
        self.results: list[Result] = []
        self.live: dict[int, RunningTrial] = {}
        self.stopping = ""
        self.tally = Tally(spec)
        self.refused: TrackingError | None = None
        self.used, self.stale, self._stopped = 0.0, 0, False
        self.slots = SlotWatch("Spark" if spec.executor not in ("processes", "inline") else "this host")
        self.journal = JournalWriter(parts.journal, parts.publisher, parts.published, parts.reached)
        self._units = UnitScheduler(parts.asker, self.journal, spec.trial_timeout, parts.reached)
        self._began = self._turned = time.monotonic()

    @property
    def counts(self) -> Counter[State]:
        """Of the results, by state."""
        return self.tally.counts

    @property
    def best(self) -> Result | None:
        """Of the results, by the first objective."""
        return self.tally.best

    @property
    def elapsed(self) -> float:
        """Seconds since the loop was made, and those of earlier drivers."""
        return self.used + time.monotonic() - self._began

    @property
    def note(self) -> str:
        """What a person should know now, else empty."""
        trouble = self._parts.publisher.trouble if self._parts.publisher is not None else ""
        return self.stopping or trouble or self.slots.note(len(self.live) - self.running)

    @property
    def running(self) -> int:
        """Trials that have begun in a slot; other live ones wait for one."""
        return sum(live.clock > 0.0 for live in self.live.values())

    @property
    def planned(self) -> int | None:
        """How many trials there will be, if known."""
        return self._parts.asker.planned

    def summary(self) -> Summary:
        """Of the results so far."""
        planned = max(self.planned or 0, len(self.results) + len(self.live))
        return summarise(self.results, planned, len(self.live), self._spec.goals)

    def restore(self, results: Iterable[Result], again: Iterable[Again]) -> None:
        """Takes over what an earlier driver left; others restore its asker and pruner.

        Args:
            results: accepted, in the order they came.
            again: to be executed again, before new trials are asked.
        """
        self._units.restore(again)
        for result in results:
            self.results.append(result)
            self._count(result)

    def run(self) -> None:
        """Returns when every trial has ended.

        Raises:
            ExecutorError, JournalError: as its parts raise; ``live`` then holds what had not ended.
            TrackingError: a thread of the publisher died.
        """
        try:
            while not self._turn_once():
                pass
        finally:
            self._parts.asker.close()

    def _turn_once(self) -> bool:
        """Whether every trial has ended."""
        self._start_trials()
        self._turn()  # after it: a slot that is free does not wait for the disk
        if not self.live and (self.stopping or self._parts.asker.exhausted):
            self._drop_again()
            self.journal.flush()
            return True
        wait = self.journal.wait(TURN)
        if not self.stopping:
            wait = self._parts.asker.pause(wait, idle=not self.live)
        for event in self._parts.executor.events(wait):
            self._handle(event)
        return False

    def stop(self, why: str) -> None:
        """Starts no more trials and ends those that run; ``run`` returns when they have."""
        if self._stopped:
            return
        self._stopped, self.stopping = True, self.stopping or why
        for live in self.live.values():
            self._parts.executor.stop(live.attempt.id, "cancelled")

    def abandon(self, why: str) -> None:
        """Counts all that had not ended as killed; for when the executor can no longer end it."""
        self.stopping = self.stopping or why
        for live in list(self.live.values()):
            self._accept(live, self._killed(live))
        self._drop_again()
        self.journal.flush()

    def _drop_again(self) -> None:
        for live in self._units.drop():
            self.live[live.trial.number] = live
            self._accept(live, self._killed(live))

    def _killed(self, live: RunningTrial) -> Outcome:
        return Outcome(State.KILLED, reason="cancelled", message=self.stopping, started=live.started or time.time())

    # -- starting

    def _start_trials(self) -> None:
        while not self.stopping:
            asked: list[Attempt] = []
            for live in self._units.next(self._room()):
                self.live[live.trial.number] = live  # at once: to ask for the next one may raise
                asked.append(live.attempt)
            if not asked:
                break
            self._submit(*asked)
        if not self.stopping:
            self._parts.asker.ahead(self._parts.executor.slots)

    def _room(self) -> int:
        executor, adaptive = self._parts.executor, self._parts.asker.adaptive
        return min(executor.room, executor.slots - len(self.live)) if adaptive else executor.room

    def _submit(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            self.journal.record(records.Submitted(attempt.attempt_id))
        self.journal.write()
        self._parts.executor.submit(*attempts)
        for _ in attempts:
            self._parts.reached(Lifecycle.SUBMITTED)

    # -- events

    def _handle(self, event: Event) -> None:
        if isinstance(event, SlotsChanged):
            self.slots.changed(event.slots)
            return
        live = self._current(event.attempt)
        if live is None:
            self.stale += isinstance(event, Ended | Reported)
        elif isinstance(event, Ended):
            self._accept(live, event.outcome)
        elif isinstance(event, Reported):
            self._reported(live, event)
        elif isinstance(event, Logged):
            self.journal.record(live.take_logged(event.log))
        elif isinstance(event, Started):
            live.started, live.clock, live.host = event.time, time.monotonic(), event.host
        else:
            self._lost(live, event)

    def _current(self, attempt: str) -> RunningTrial | None:
        """The trial whose current attempt this is; others are stale."""
        live = self.live.get(AttemptId.parse(attempt).trial)
        return live if live is not None and live.attempt.id == attempt else None

    def _reported(self, live: RunningTrial, event: Reported) -> None:
        report = event.report
        attempt = live.attempt.attempt_id
        self.journal.record(records.Reported(attempt, report.step, report.metrics, report.time))
        live.reports.append(report)
        value = report.metrics.get(self._spec.metric[0])
        pruner = self._parts.pruner
        if pruner is not None and value is not None and not live.pruned:
            live.pruned = pruner.report(live.trial.number, report.step, self._spec.goals[0].loss(value))
        elif pruner is not None and value is None:
            self.tally.unread(live.trial.number, report.metrics)
        self.journal.write()
        self._parts.executor.answer(event.attempt, event.index, live.pruned)

    def _lost(self, live: RunningTrial, event: Lost) -> None:
        self.journal.record(live.lost(event))
        if self.stopping:
            self._accept(live, self._killed(live))
        elif live.charged > self._spec.failures.retries:
            message = f"lost {live.charged} times, the last time: {event.message}"
            self._accept(live, Outcome(State.FAILED, reason="worker lost", message=message, started=live.started))
        else:
            self._retry(live)

    def _retry(self, live: RunningTrial) -> None:
        live.retry()
        if self._parts.pruner is not None:
            self._parts.pruner.restarted(live.trial.number)
        self._submit(live.attempt)

    def _accept(self, live: RunningTrial, outcome: Outcome) -> None:
        self._parts.reached(Lifecycle.RECEIVED)
        outcome = live.with_losses(outcome)
        result = live.result(outcome, self._spec.metric, self.stopping)
        self.journal.record(accepted(result, outcome.log, outcome.artifacts))
        self.journal.write()
        del self.live[live.trial.number]
        self.slots.worked(result.duration)
        self.results.append(result)
        self._pass_on(live, result, outcome)

    def _pass_on(self, live: RunningTrial, result: Result, outcome: Outcome) -> None:
        self._parts.reached(Lifecycle.ACCEPTED)
        self._parts.asker.ended(live.trial, result.state, losses_of(result, self._spec.goals))
        if self._parts.pruner is not None:
            self._parts.pruner.ended(live.trial.number, result.state is State.FINISHED)
        if self._parts.publisher is not None:
            self.journal.hold(live.child_run(result, outcome))
        self._count(result, live.reports, self._parts.accepted(result, outcome))

    def _count(self, result: Result, reports: Sequence[Report] = (), why: str = "") -> None:
        why = self.tally.add(result, reports) or why
        if why and not self.stopping:
            self.stop(why)

    # -- clock

    def _turn(self) -> None:
        self.journal.turn()
        now = time.monotonic()
        if now - self._turned < TURN:
            return
        self._turned = now
        self.journal.note_published()
        self.journal.note_late(self.stale + self._parts.executor.stale)
        if self._parts.publisher is not None:
            self._look_at(self._parts.publisher)
            self._show_running(self._parts.publisher, now)
        if self._spec.timeout is not None and self.elapsed > self._spec.timeout:
            self.stop(f"the sweep's timeout of {self._spec.timeout:g} s is over")
        self._parts.watch(self)

    def _look_at(self, publisher: Queue) -> None:
        """A store that refuses for good ends the asking; what runs may end, and is kept."""
        try:
            publisher.check()
        except TrackingError as error:
            self.refused = self.refused or error
            self.stopping = self.stopping or f"no new trials: {error}"

    def _show_running(self, publisher: Queue, now: float) -> None:
        for live in self.live.values():
            if live.clock and not live.shown and now - live.clock > SHOWN_AFTER:
                live.shown = True
                publisher.put(live.running_run())
