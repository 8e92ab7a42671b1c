"""What the answer of a job says: the messages that a worker would have sent, at once and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sparkml_track.executors._attempts.logged import run_log_of
from sparkml_track.executors._attempts.payloads import Payloads
from sparkml_track.executors._attempts.received import BadMessage, outcome_of, report_of
from sparkml_track.slot.wire.messages import (
    Broken,
    Done,
    File,
    Hello,
    Logged,
    Message,
    Part,
    Ready,
    Report,
    Unbegun,
    Warn,
    decode,
)
from sparkml_track.trial import Outcome, RunLog
from sparkml_track.trial import Report as Reported

__all__ = ["Said"]


@dataclass
class Said:
    """What was read of an answer so far.

    Attributes:
        metric: the names that a finished attempt must have.
        take_file: takes a piece of what the attempt left.
        payloads: takes what it gives back.
        host: where it ran.
        versions: of packages there.
        warnings: to be logged.
        reports: in order.
        logged: through MLflow, in order.
        end: how it ended, or why it did not begin.
    """

    metric: Sequence[str]
    take_file: Callable[[File, bytes], None]
    payloads: Payloads
    host: str = ""
    versions: object = None
    warnings: list[str] = field(default_factory=list)
    reports: list[Reported] = field(default_factory=list)
    logged: list[RunLog] = field(default_factory=list)
    end: Outcome | Unbegun | Broken | None = None

    def read(self, answer: Iterable[bytes]) -> Outcome | Unbegun | Broken:
        """Takes all of it.

        Raises:
            BadMessage: it is not what a task may say.
            WireError: a message cannot be read.
        """
        for body in answer:
            message, blob = decode(body)
            if isinstance(message, File):
                self.take_file(message, blob)
            elif isinstance(message, Report):
                self.reports.append(report_of(message)[1])
            elif isinstance(message, Logged):
                self.logged.append(run_log_of(message))
            elif isinstance(message, Part):
                self.payloads.take(message, blob)
            elif isinstance(message, Done):
                self.end = outcome_of(message, self.host, self.metric, self.payloads.whole(message, blob))
            else:
                self._take(message)
        if self.end is None:
            raise BadMessage("it did not say how the attempt ended")
        return self.end

    def _take(self, message: Message) -> None:
        match message:
            case Hello():
                self.host = message.host
            case Ready():
                self.versions = message.versions
            case Warn():
                self.warnings.append(message.message)
            case Unbegun() | Broken():
                self.end = message
