"""What slots say of attempts, taken for what it may be: checked here, on the driver, before anything learns of it.

A slot runs the user's code, so what it sends is not believed: a number that is text, an infinite duration or a state
that is none must neither reach the journal, which has to be read again, nor end the sweep. What is wrong ends the
attempt that it speaks of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sparkml_track import schema
from sparkml_track.slot.attempt.returned import METRICS_LIMIT, NAME_LIMIT, clip
from sparkml_track.slot.wire import messages as wire
from sparkml_track.trial import UNMEASURED, Outcome, Report, State, Usage

__all__ = [
    "BadMessage",
    "name_in",
    "not_an_outcome",
    "number_in",
    "outcome_of",
    "report_of",
    "seconds_in",
    "shown",
    "text_in",
    "whole_in",
]

#: Bytes of a log; slots send its head and tail only.
_LOG_LIMIT = 4 << 20
#: Seconds since the epoch that are a time, years 1970 to 5138, and of a duration.
_LATEST = 1e11


_STATES = {state.value: state for state in State if state.terminal}


class BadMessage(ValueError):
    """A message that is none; says what came and what is allowed."""


def outcome_of(done: wire.Done, host: str, metric: Sequence[str], payload: bytes = b"") -> Outcome:
    """What a message of an end says.

    Args:
        done: as it came.
        host: where from.
        metric: the names that a finished attempt must have.
        payload: what the attempt gave back.

    Raises:
        BadMessage: it says what cannot be.
    """
    state = _state(done.state)
    metrics = _metrics({} if done.metrics is None else done.metrics)
    missing = [name for name in metric if name not in metrics]
    if state is State.FINISHED and missing:
        raise BadMessage(f"it finished without the metric {missing[0]!r}")
    return Outcome(
        state=state,
        metrics=metrics,
        reason=_reason(done.reason, state),
        message=clip(text_in(done.message, "message")),
        log=clip(text_in(done.log, "log"), _LOG_LIMIT),
        started=seconds_in(done.started, "started"),
        duration=seconds_in(done.duration, "duration"),
        host=host,
        payload=payload,
        usage=_usage(done.usage),
    )


def _usage(value: object) -> Usage:
    if value is None:
        return UNMEASURED
    if not isinstance(value, list) or len(value) != 2:
        raise BadMessage(f"usage is {shown(value)}; allowed is a list of seconds and bytes")
    seconds, memory = value
    if memory is not None and whole_in(memory, "memory") < 0:
        raise BadMessage(f"memory is {memory}; allowed is 0 or more")
    return Usage(None if seconds is None else seconds_in(seconds, "seconds of processors"), memory)


def report_of(report: wire.Report) -> tuple[int, Report]:
    """The number of a report, and what it reports.

    Raises:
        BadMessage: as for ``outcome_of``.
    """
    number, step = whole_in(report.number, "number"), whole_in(report.step, "step")
    if number < 0:
        raise BadMessage(f"number is {number}; allowed is 0 or more")
    return number, Report(_metrics(report.metrics), step, seconds_in(report.time, "time"))


def not_an_outcome(error: Exception, host: str) -> Outcome:
    """How an attempt ends whose slot sent what cannot be."""
    said = f"the slot on {host} sent a message that is refused: {error}"
    return Outcome(State.FAILED, reason="result", message=clip(said), host=host)


def _state(value: object) -> State:
    state = _STATES.get(value) if isinstance(value, str) else None
    if state is None:
        raise BadMessage(f"state is {shown(value)}; allowed are {', '.join(_STATES)}")
    return state


def _reason(value: object, state: State) -> str:
    if isinstance(value, str) and (value in schema.REASONS or (not value and state in (State.FINISHED, State.PRUNED))):
        return value
    raise BadMessage(f"reason is {shown(value)}; allowed are {', '.join(sorted(schema.REASONS))}")


def _metrics(value: object) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > METRICS_LIMIT:
        raise BadMessage(
            f"metrics are {shown(value)}; allowed is a mapping of at most {METRICS_LIMIT} names to numbers"
        )
    return {name_in(name): number_in(number, name) for name, number in value.items()}


def name_in(value: object) -> str:
    """A name of a metric, param or tag."""
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LIMIT or text_in(value, "a metric") != value:
        raise BadMessage(f"a metric is named {shown(value)}; allowed are 1 to {NAME_LIMIT} characters of text")
    return value


def number_in(value: object, name: object) -> float:
    """Any float: nan and infinities are recorded as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadMessage(f"metric {shown(name)} is {shown(value)}; allowed is a number")
    try:
        return float(value)
    except OverflowError:
        raise BadMessage(f"metric {shown(name)} is too large; allowed is a number that fits a float") from None


def seconds_in(value: object, what: str) -> float:
    """A time, or a duration, in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST or math.isnan(value):
        raise BadMessage(f"{what} is {shown(value)}; allowed is a number of seconds from 0 to {_LATEST:g}")
    return float(value)


def whole_in(value: object, what: str) -> int:
    """A whole number of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise BadMessage(f"{what} is {shown(value)}; allowed is a whole number of 64 bits")
    return value


def text_in(value: object, what: str) -> str:
    """Text that can be stored: half a surrogate pair becomes a question mark."""
    if not isinstance(value, str):
        raise BadMessage(f"{what} is {shown(value)}; allowed is text")
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def shown(value: object) -> str:
    """A value in a few characters, for a message."""
    if isinstance(value, str | int | float | bool | None):
        return ascii(value)[:80] if not isinstance(value, int) or abs(value) < 2**200 else "a very large number"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, dict | list) else "")
