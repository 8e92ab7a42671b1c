"""The loop: asks, submits, takes events, and passes results on; in that order, journal first.

All is done on the caller's thread but publishing and slow samplers; the store learns of what is durable in the journal.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from sparkml_track.engine.loop.doorkeeper import DoorLine
from sparkml_track.engine.loop.journal_writer import JournalWriter
from sparkml_track.engine.loop.ports import Parts
from sparkml_track.engine.loop.pruning import Pruning
from sparkml_track.engine.loop.running_trial import RunningTrial, RunningUnit
from sparkml_track.engine.loop.slot_watch import SlotWatch
from sparkml_track.engine.loop.store_watch import StoreWatch
from sparkml_track.engine.loop.tally import Tally
from sparkml_track.engine.loop.unit_scheduler import UnitScheduler
from sparkml_track.engine.records import types as records
from sparkml_track.engine.results.records import accepted, losses_of
from sparkml_track.engine.results.summary import Result, Summary, summarise
from sparkml_track.engine.results.unit_results import in_order
from sparkml_track.engine.spec.lifecycle import Lifecycle
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.executors import Ended, Event, Logged, Lost, Questioned, Reported, SlotsChanged, Started
from sparkml_track.trial import Attempt, Outcome, Report, State

__all__ = ["Loop", "Parts"]

#: Seconds between looks at clock, publisher and progress.
TURN = 0.2


class Loop:
    """Runs one sweep to its end.

    Attributes:
        spec: what was asked for.
        results: accepted, in the order they came.
        tally: counts and the best of them.
        live: trials that have not ended, by number.
        stopping: why no more trials are started, empty while they are.
        store: the tracking store, as the loop sees it.
        slots: how many there are, and what they did not use.
        used: seconds that earlier drivers worked at the sweep.
        stale: late answers that were refused by earlier drivers and here; the executor counts its own.
    """

    def __init__(self, spec: Spec, parts: Parts) -> None:
        self.spec, self._parts, self._several = spec, parts, spec.units.several
        self.results: list[Result] = []
        self.stopping = ""
        self.tally = Tally(spec)
        self.used, self.stale, self._stopped = 0.0, 0, False
        giver = "Spark" if spec.executor not in ("processes", "inline") else "this host"
        self.slots = SlotWatch(giver, spec.units.gang)
        self.store = StoreWatch(parts.publisher)
        self._pruning = Pruning(parts.pruner, spec, self.tally)
        self.journal = JournalWriter(parts.journal, parts.publisher, parts.published, parts.reached)
        self._units = UnitScheduler(parts.asker, self.journal, spec, parts.reached)
        self._line = DoorLine(parts.door, self.journal, parts.executor)
        self.live = self._units.live
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
        return self.stopping or self.store.trouble or self.slots.note(len(self.live) - self.running)

    @property
    def running(self) -> int:
        """Trials that have begun in a slot; other live ones wait for one."""
        return sum(live.since > 0.0 for live in self.live.values())

    @property
    def planned(self) -> int | None:
        """How many trials there will be, if known."""
        return self._parts.asker.planned

    def summary(self) -> Summary:
        """Of the results so far."""
        planned = max(self.planned or 0, len(self.results) + len(self.live))
        return summarise(self.results, planned, len(self.live), self.spec.goals)

    def restore(self, results: Iterable[Result], again: Iterable[RunningTrial]) -> None:
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
            ExecutorError, JournalError, SetupError: as its parts raise; ``live`` then has what had not ended.
            TrackingError: a thread of the publisher died.
        """
        try:
            for live in self._units.decided():
                self._accept(live)
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
        for live in list(self.live.values()):
            self._give_up(live, self._killed(live))

    def abandon(self, why: str) -> None:
        """Counts all that had not ended as killed; for when the executor can no longer end it."""
        self.stopping = self.stopping or why
        for live in list(self.live.values()):
            self._accept(live, self._killed(live))
        self._drop_again()
        self.journal.flush()

    def _drop_again(self) -> None:
        for live in self._units.drop():
            self._accept(live, self._killed(live))

    def _killed(self, live: RunningTrial) -> Outcome:
        return Outcome(State.KILLED, reason="cancelled", message=self.stopping, started=live.started or time.time())

    # -- starting

    def _start_trials(self) -> None:
        while not self._stopped:
            asked = [unit.attempt for unit in self._units.next(self._room(), new=not self.stopping)]
            if not asked:
                break
            self._submit(*asked)
        if not self.stopping:
            self._parts.asker.ahead(self._parts.executor.slots)

    def _room(self) -> int:
        executor, adaptive = self._parts.executor, self._parts.asker.adaptive
        return min(executor.room, executor.slots - self._units.handed_out) if adaptive else executor.room

    def _submit(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            self.journal.record(records.Submitted(attempt.attempt_id))
        self.journal.write()
        self._line.submit(attempts)
        for _ in attempts:
            self._parts.reached(Lifecycle.SUBMITTED)

    # -- events

    def _handle(self, event: Event) -> None:
        if isinstance(event, SlotsChanged):
            self.slots.changed(event.slots)
            return
        unit = self._units.current(event.attempt)
        if unit is None:
            self.stale += isinstance(event, Ended | Reported)
        elif isinstance(event, Ended):
            self._ended(unit, event.outcome)
        elif isinstance(event, Reported):
            self._reported(unit, event)
        elif isinstance(event, Logged | Questioned):
            self._line.hear(unit, event)
        elif isinstance(event, Started):
            unit.started, unit.host = event.time, event.host
            unit.of.since = unit.of.since or time.monotonic()
        else:
            self._lost(unit, event)

    def _reported(self, unit: RunningUnit, event: Reported) -> None:
        self.journal.record(unit.take_report(event.report))
        self._pruning.reported(unit.of, event.report.step, event.report.metrics)
        self.journal.write()
        self._line.answer(event, unit.of.pruned)

    def _lost(self, unit: RunningUnit, event: Lost) -> None:
        self.journal.record(unit.lost(event))
        if self.stopping or unit.of.end is not None:
            self._ended(unit, self._killed(unit.of))
        elif unit.charged > self.spec.failures.retries:
            message = f"lost {unit.charged} times, the last time: {event.message}"
            self._ended(unit, Outcome(State.FAILED, reason="worker lost", message=message, started=unit.started))
        else:
            self._retry(unit)

    def _retry(self, unit: RunningUnit) -> None:
        unit.retry()
        self._pruning.restarted(unit.of)
        self._submit(unit.attempt)

    def _ended(self, unit: RunningUnit, outcome: Outcome) -> None:
        if not self._several:
            self._accept(unit.of, outcome)
            return
        self._parts.reached(Lifecycle.RECEIVED)
        live = unit.of
        self._units.handed_out -= 1
        going = live.end is None
        record = live.take(unit, outcome)
        if record is not None:
            self.journal.record(record)
            self.slots.worked(record.duration)
            means = self._pruning.unit_ended(live, record)
            if means is not None:
                self.journal.record(means)
            self.journal.write()
        if going and live.end is not None:
            self._give_up(live, live.end)
        elif live.over:
            self._accept(live)

    def _give_up(self, live: RunningTrial, end: Outcome) -> None:
        live.give_up(end)
        for unit in live.units.values():
            self._parts.executor.stop(unit.attempt.id, "cancelled")
        if live.over:
            self._accept(live)

    def _accept(self, live: RunningTrial, outcome: Outcome | None = None) -> None:
        if not self._several:
            self._parts.reached(Lifecycle.RECEIVED)
        outcome = live.close(outcome, self.spec.metric)
        result = live.result(outcome, self.spec.metric, self.stopping)
        self.journal.record(accepted(result, outcome.log, outcome.artifacts))
        self.journal.write()
        self._units.ended(live)
        if not self._several:
            self.slots.worked(result.duration)
        self.results.append(result)
        self._pass_on(live, result, outcome)

    def _pass_on(self, live: RunningTrial, result: Result, outcome: Outcome) -> None:
        self._parts.reached(Lifecycle.ACCEPTED)
        self._parts.asker.ended(live.trial, result.state, losses_of(result, self.spec.goals))
        self._pruning.ended(result.number, result.state)
        if self._parts.publisher is not None:
            self.journal.hold(live.child_run(result, outcome))
        self._count(result, in_order(live.reports), self._parts.accepted(result, outcome))

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
        # What runs may end where the store refuses for good, and is kept.
        self.stopping = self.stopping or self.store.look(self.live.values(), now)
        if self.spec.timeout is not None and self.elapsed > self.spec.timeout:
            self.stop(f"the sweep's timeout of {self.spec.timeout:g} s is over")
        self._parts.watch(self)
