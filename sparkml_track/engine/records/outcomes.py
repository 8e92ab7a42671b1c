"""Outcomes of trials and of units as journals have them; a part of the codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from sparkml_track.engine.records import fields as get
from sparkml_track.engine.records.types import Accepted, UnitAccepted
from sparkml_track.trial import UNMEASURED, AttemptId, State, Usage

__all__ = ["accepted", "accepted_body", "attempt", "state", "unit", "unit_body"]

Body = Mapping[str, object]


class _Said(TypedDict):
    """What most outcomes have not."""

    reason: str
    message: str
    log: str
    artifacts: str
    in_place: bool
    usage: Usage


def accepted_body(record: Accepted) -> dict[str, object]:
    """The body of the outcome of a trial."""
    body: dict[str, object] = {
        "n": record.number,
        "state": record.state.value,
        "metrics": dict(record.metrics),
        "k": record.attempts,
        "t": record.started,
        "d": record.duration,
        "host": record.host,
        **_said(record),
    }
    if record.busy is not None:
        body["busy"] = record.busy
    if record.failed_units:
        body["failed"] = [list(each) for each in record.failed_units]
    return body


def unit_body(record: UnitAccepted) -> dict[str, object]:
    """The body of the outcome of a unit."""
    return {
        "a": str(record.attempt),
        "state": record.state.value,
        "metrics": dict(record.metrics),
        "t": record.started,
        "d": record.duration,
        "host": record.host,
        **_said(record),
    }


def _said(record: Accepted | UnitAccepted) -> dict[str, object]:
    """What most outcomes have not."""
    body: dict[str, object] = {}
    if record.reason:
        body["why"] = record.reason
    if record.message:
        body["message"] = record.message
    if record.log:
        body["log"] = record.log
    if record.artifacts:
        body["artifacts"] = record.artifacts
    if record.in_place:
        body["in_place"] = True
    if record.usage != UNMEASURED:
        body["u"] = list(record.usage)
    return body


def accepted(body: Body) -> Accepted:
    """The outcome of a trial.

    Raises:
        ValueError: a field is missing or wrong; says which.
    """
    return Accepted(
        number=get.whole(body, "n"),
        state=state(body),
        metrics=get.metrics(body, "metrics"),
        attempts=get.whole(body, "k"),
        started=get.number(body, "t"),
        duration=get.number(body, "d"),
        host=get.text(body, "host"),
        **_what_was_said(body),
        busy=get.optional_number(body, "busy"),
        failed_units=_failed_units(body),
    )


def unit(body: Body) -> UnitAccepted:
    """The outcome of a unit.

    Raises:
        ValueError: a field is missing or wrong; says which.
    """
    return UnitAccepted(
        attempt=attempt(body),
        state=state(body),
        metrics=get.metrics(body, "metrics"),
        started=get.number(body, "t"),
        duration=get.number(body, "d"),
        host=get.text(body, "host"),
        **_what_was_said(body),
    )


def _what_was_said(body: Body) -> _Said:
    return {
        "reason": get.optional_text(body, "why") or "",
        "message": get.optional_text(body, "message") or "",
        "log": get.optional_text(body, "log") or "",
        "artifacts": get.optional_text(body, "artifacts") or "",
        "in_place": "in_place" in body and get.flag(body, "in_place"),
        "usage": _usage(body),
    }


def _usage(body: Body) -> Usage:
    if "u" not in body:
        return UNMEASURED
    cpu, *memory = get.items(body, "u") or [None]
    if len(memory) != 1:
        raise ValueError(f"u has {body['u']!r:.40}; allowed is a list of 2 values")
    return Usage(get.optional_number({"u": cpu}, "u"), get.optional_whole({"u": memory[0]}, "u"))


def _failed_units(body: Body) -> tuple[tuple[int, str], ...]:
    if "failed" not in body:
        return ()
    rows = (get.row(each, "failed", (int, str)) for each in get.items(body, "failed"))
    return tuple([(index, message) for index, message in rows])


def attempt(body: Body) -> AttemptId:
    """Whose record it is.

    Raises:
        ValueError: a field is missing or wrong; says which.
    """
    text = get.text(body, "a")
    try:
        return AttemptId.parse(text)
    except ValueError as error:
        raise ValueError(f"a: {error}") from None


def state(body: Body) -> State:
    """How it ended.

    Raises:
        ValueError: a field is missing or wrong; says which.
    """
    text = get.text(body, "state")
    try:
        return State(text)
    except ValueError as error:
        raise ValueError(f"state: {error}") from None
