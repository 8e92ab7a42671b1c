"""What an attempt says while it runs, as events."""

from __future__ import annotations

from sparkml_track.executors._attempts.logged import run_log_of
from sparkml_track.executors._attempts.received import BadMessage, report_of
from sparkml_track.executors._base import Event, Logged, Questioned, Reported
from sparkml_track.slot.attempt.door import LONGEST
from sparkml_track.slot.wire import messages as wire

__all__ = ["Said", "event_of"]

Said = wire.Report | wire.Logged | wire.Question | wire.Part


def event_of(said: wire.Report | wire.Logged | wire.Question) -> Event:
    """The event that a message is.

    Raises:
        BadMessage: it says what cannot be.
    """
    match said:
        case wire.Report():
            return Reported(said.attempt, *report_of(said))
        case wire.Logged():
            return Logged(said.attempt, run_log_of(said))
    return _question(said)


def _question(said: wire.Question) -> Questioned:
    if len(said.body) > LONGEST:
        raise BadMessage(f"a question has {len(said.body):,} characters; allowed are {LONGEST:,}")
    return Questioned(said.attempt, said.number, said.body, said.waits)
