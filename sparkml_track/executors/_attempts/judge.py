"""What running attempts say, message by message, and which of them has said what cannot be."""

from __future__ import annotations

from collections.abc import Sequence

from sparkml_track.executors._attempts.payloads import Payloads
from sparkml_track.executors._attempts.received import BadMessage, not_an_outcome, outcome_of
from sparkml_track.executors._attempts.said import Said, event_of
from sparkml_track.executors._base import Event
from sparkml_track.slot.wire import messages as wire
from sparkml_track.trial import Outcome

__all__ = ["Judge"]


class Judge:
    """Takes messages of running attempts.

    Args:
        metric: the names that a finished attempt must have.
        payloads: takes what attempts give back.
    """

    def __init__(self, metric: Sequence[str], payloads: Payloads) -> None:
        self._metric = metric
        self._payloads = payloads
        self._refused: dict[str, Outcome] = {}

    def hear(self, said: Said, blob: bytes) -> list[Event]:
        """What there is to report of a message.

        Raises:
            BadMessage: it says what cannot be.
        """
        if isinstance(said, wire.Part):
            self._payloads.take(said, blob)
            return []
        return [event_of(said)]

    def refuse(self, attempt: str, error: Exception, host: str) -> None:
        """The attempt sent what cannot be, and is to be ended."""
        self._refused.setdefault(attempt, not_an_outcome(error, host))
        self._payloads.forget(attempt)

    def outcome(self, done: wire.Done, blob: bytes, host: str) -> Outcome:
        """How the attempt ended."""
        refused = self._refused.pop(done.attempt, None)
        if refused is not None:
            return refused
        try:
            return outcome_of(done, host, self._metric, self._payloads.whole(done, blob))
        except BadMessage as error:
            return not_an_outcome(error, host)

    def forget(self, attempt: str) -> None:
        """The attempt was lost."""
        self._refused.pop(attempt, None)
        self._payloads.forget(attempt)
