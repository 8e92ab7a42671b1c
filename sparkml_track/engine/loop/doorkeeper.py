"""What a front door says to attempts, and hears from them, while they run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from sparkml_track.engine.loop.journal_writer import JournalWriter
from sparkml_track.engine.loop.running_trial import RunningUnit
from sparkml_track.errors import SetupError
from sparkml_track.executors import Executor, Logged, Questioned, Reported
from sparkml_track.trial import Attempt, Params

__all__ = ["DoorLine", "Doorkeeper", "Replied"]


@dataclass(frozen=True, slots=True)
class Replied:
    """What comes of a question.

    Attributes:
        body: the reply; empty for none, which an attempt that waits takes for the lack of a front door.
        params: that the trial has by it: the journal and the child run get them.
    """

    body: str = ""
    params: Params = field(default_factory=dict)


class Doorkeeper(Protocol):
    """The driver's end of a front door whose attempts ask. Called by the loop, on its thread, in the order of events.

    What attempts ask is text that a user's code may have made: nothing of it is believed, and nothing is raised for it.
    """

    def along(self, attempt: Attempt) -> object:
        """Gives JSON to an attempt that is about to be submitted. What it raises ends the sweep, and is raised."""

    def question(self, attempt: Attempt, event: Questioned) -> Replied:
        """Replies to a question of a running attempt."""


class DoorLine:
    """Connects attempts and the doorkeeper.

    Args:
        door: None if there is none; then questions get empty replies.
        journal: gets the params of trials before attempts do.
        executor: carries both ways.
    """

    def __init__(self, door: Doorkeeper | None, journal: JournalWriter, executor: Executor) -> None:
        self._door, self._journal, self._executor = door, journal, executor

    def submit(self, attempts: Iterable[Attempt]) -> None:
        """Submits attempts, with what the doorkeeper gives along.

        Raises:
            SetupError: the executor does not stream, so attempts cannot ask.
        """
        if self._door is not None and not self._executor.capabilities.streams:
            raise SetupError(
                "trials of this front door ask the driver while they run, which executor "
                f"{self._executor.name!r} cannot carry; take a session with a SparkContext, or executor='processes'"
            )

        self._executor.submit(*map(self._with_along, attempts))

    def _with_along(self, attempt: Attempt) -> Attempt:
        return attempt if self._door is None else replace(attempt, along=self._door.along(attempt))

    def answer(self, event: Reported, stop: bool) -> None:
        """Gives the decision on a report; trials of a front door ask there, and nobody waits for it."""
        if self._door is None:
            self._executor.answer(event.attempt, event.index, stop)

    def hear(self, unit: RunningUnit, event: Logged | Questioned) -> None:
        """Takes what a running attempt says beside its reports."""
        if isinstance(event, Logged):
            self._journal.record(unit.take_logged(event.log))
            return
        replied = Replied() if self._door is None else self._door.question(unit.attempt, event)
        if replied.params:
            self._journal.record(unit.of.suggested(replied.params))
        if event.waits:
            self._journal.write()
            self._executor.reply(event.attempt, event.number, replied.body)
