"""Why trials did not finish: by reason, and in each the messages that are most common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkml_track.engine.results.summary import Result
from sparkml_track.trial import State

__all__ = ["Example", "FailureReason", "failures"]

_EXAMPLES, _NUMBERS = 3, 10


@dataclass(frozen=True, slots=True)
class Example:
    """Trials that ended alike.

    Attributes:
        trials: their numbers, those of the first ten.
        count: how many there are.
        message: of the first.
    """

    trials: tuple[int, ...]
    count: int
    message: str

    @property
    def gist(self) -> str:
        """What makes two messages one kind: the line that names the error."""
        return _gist(self.message)

    @property
    def numbers(self) -> str:
        """The trials as text."""
        return ", ".join(map(str, self.trials)) + (", ..." if self.count > len(self.trials) else "")


@dataclass(frozen=True, slots=True)
class FailureReason:
    """All trials that ended for one reason.

    Attributes:
        name: one of ``schema.REASONS``.
        count: how many.
        examples: the most common kinds of messages.
    """

    name: str
    count: int
    examples: tuple[Example, ...]

    @property
    def rest(self) -> int:
        """Trials with other messages."""
        return self.count - sum(one.count for one in self.examples)


def failures(results: Iterable[Result]) -> list[FailureReason]:
    """The reasons of failed and killed trials, the most common first.

    Args:
        results: in the order in which examples are to be chosen.
    """
    reasons: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        if one.state in {State.FAILED, State.KILLED}:
            reasons[one.reason or "unknown"][_gist(one.message)].append(one)
    found = [_reason(name, list(kinds.values())) for name, kinds in reasons.items()]
    return sorted(found, key=lambda one: -one.count)


def _reason(name: str, kinds: Sequence[Sequence[Result]]) -> FailureReason:
    common = sorted(kinds, key=len, reverse=True)[:_EXAMPLES]
    return FailureReason(name, sum(map(len, kinds)), tuple(map(_example, common)))


def _example(alike: Sequence[Result]) -> Example:
    return Example(tuple(one.number for one in alike[:_NUMBERS]), len(alike), alike[0].message or "no message")


def _gist(message: str) -> str:
    # The first line, as slots describe errors; the last one where somebody passes on a traceback of Python's.
    lines = message.strip().splitlines() or [""]
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()
