"""What the journal of a sweep says, by column: added to as the sweep goes on, and small where it has many trials."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sparkml_track.dashboards.runs.seen import STATES, UNSET, Seen
from sparkml_track.engine.records.entries import read_record, unreadable
from sparkml_track.engine.records.types import Ended, Extended, Late, Parent, Plan, Reported
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.journals import Record
from sparkml_track.space import flatten
from sparkml_track.trial import Report, State

__all__ = ["Columns"]

_CODES = {state.value: code for code, state in enumerate(STATES)}
_NAN = math.nan
_MOST = 1 << 62
_NUMBERS = ("started", "duration", "busy", "cpu", "memory")


class Columns:
    """Takes the records of one sweep, oldest first. One thread at a time.

    A row is a trial, in the order of asking. Records of many trials are read here, by the keys of ``records.codec``,
    since to make an object of each takes ten times as long; those of the sweep as a whole are read there.

    Args:
        sweep: its id.
    """

    def __init__(self, sweep: str) -> None:
        self._sweep = sweep
        self._rows: dict[int, int] = {}
        self._params: dict[str, list[object]] = {}
        self._metrics: dict[str, array[float]] = {}
        self._states = bytearray()
        self._numbers = {name: array("d") for name in _NUMBERS}
        self._attempts = array("q")
        self._room = 0  # rows that numbers have a place for
        self._texts: dict[str, list[str]] = {"host": [], "reason": []}
        self._messages: dict[int, str] = {}
        self._logs: set[int] = set()
        self._order: list[int] = []
        self._open: set[str] = set()
        self._most = self._lost = self._late = 0
        self._plan: Plan | None = None
        self._parent: Parent | None = None
        self._ended: Ended | None = None
        self._planned = 0
        self._several = False
        self._idle: float | None = None
        self._reports: dict[int, list[Report]] = {}
        self._curves = Curves(Goal())

    def add(self, records: Iterable[Sequence[Any]]) -> None:
        """Takes records as ``journals.follow`` gives them: kind and body.

        Raises:
            JournalError: one is of a known kind and cannot be read.
        """
        take = {"asked": self._asked, "submitted": self._submitted, "accepted": self._accepted}
        rare = {"suggested": self._suggested, "lost": self._gone, "unit": self._gone, "retried": self._retried}
        take |= rare | {"published": _passed_over, "logged": _passed_over}
        for kind, body in records:
            known = take.get(kind)
            try:
                if known is None:
                    self._take(kind, body)
                else:
                    known(body)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                why = f"{type(error).__name__}: {error}"
                raise unreadable(f"a record of kind {kind!r:.40} is not as this release writes it ({why})") from error

    def seen(self) -> Seen:
        """What there is now; it does not change any more."""
        import numpy as np

        count = len(self._states)
        return Seen(
            sweep=self._sweep,
            plan=self._plan,
            parent=self._parent,
            ended=self._ended,
            limit=self._planned,
            numbers=np.fromiter(self._rows, dtype=np.int64, count=count),
            states=np.array(self._states, dtype=np.uint8),
            params={name: column[:count] for name, column in self._params.items()},
            metrics={name: np.array(column[:count]) for name, column in self._metrics.items()},
            attempts=np.array(self._attempts[:count]),
            hosts=self._texts["host"][:count],
            reasons=self._texts["reason"][:count],
            messages=dict(self._messages),
            logs=frozenset(self._logs),
            order=np.array(self._order, dtype=np.int64),
            at_work=len(self._open),
            most=self._most,
            lost=self._lost,
            late=self._late,
            idle=self._idle,
            curves=(self._curves.best(), self._curves.others(), self._curves.reported),
            reports={number: list(found) for number, found in self._reports.items()},
            **{name: np.array(self._numbers[name][:count]) for name in _NUMBERS},
        )

    # -- of trials

    def _asked(self, body: Mapping[str, Any]) -> None:
        number = body["n"]
        if number in self._rows:
            return
        if type(number) is not int or not 0 <= number < _MOST:
            raise TypeError(f"n is {number!r:.40}; allowed is a whole number")
        row = self._rows[number] = len(self._states)
        if row == self._room:
            self._make_room(max(64, row // 2))
        self._states.append(0)
        self._set_params(row, body["params"])

    def _make_room(self, more: int) -> None:
        self._room += more
        for column in (*self._numbers.values(), *self._metrics.values()):
            column.extend(array("d", [_NAN]) * more)
        self._attempts.extend(array("q", [0]) * more)
        for texts in self._texts.values():
            texts.extend([""] * more)
        for values in self._params.values():
            values.extend([UNSET] * more)

    def _suggested(self, body: Mapping[str, Any]) -> None:
        self._asked(body)
        self._set_params(self._rows[body["n"]], body["params"])

    def _set_params(self, row: int, params: Mapping[str, object]) -> None:
        nested = any(type(value) is dict for value in params.values())
        for name, value in (flatten(params) if nested else params).items():
            column = self._params.get(name)
            if column is None:
                column = self._params[name] = [UNSET] * self._room
            column[row] = value

    def _submitted(self, body: Mapping[str, Any]) -> None:
        attempt = _text(body["a"])
        self._open.add(attempt)
        if len(self._open) > self._most:
            self._most = len(self._open)
        if self._reports:
            self._reports.pop(int(attempt.partition(".")[0]), None)

    def _gone(self, body: Mapping[str, Any]) -> None:
        """An attempt ended, and its trial may go on."""
        self._open.discard(_text(body["a"]))
        self._lost += "charged" in body

    def _accepted(self, body: Mapping[str, Any]) -> None:
        number = body["n"]
        row = self._rows.get(number)
        self._end_attempts(number, body["k"])
        if row is None or self._states[row]:
            return  # as ``verify`` says
        self._set_numbers(row, body)
        self._texts["host"][row] = _text(body["host"])
        self._attempts[row] = body["k"]
        if "why" in body:
            self._texts["reason"][row] = _text(body["why"])
        if "message" in body:
            self._messages[number] = _text(body["message"])
        if "log" in body:
            self._logs.add(number)
        self._states[row] = _CODES[body["state"]]
        self._order.append(row)
        if reports := self._reports.pop(number, None):
            self._add_curve(number, row, reports)

    def _end_attempts(self, number: int, attempts: int) -> None:
        """Of a trial: that of one unit, which nearly all have, or those of several."""
        last = f"{number}.0.{attempts}"
        if last in self._open and not self._several:
            self._open.remove(last)
        else:
            self._open -= {each for each in self._open if each.startswith(f"{number}.")}

    def _set_numbers(self, row: int, body: Mapping[str, Any]) -> None:
        numbers = self._numbers
        numbers["started"][row], numbers["duration"][row] = body["t"], body["d"]
        numbers["busy"][row] = body.get("busy", body["d"])
        for name, value in body["metrics"].items():
            column = self._metrics.get(name)
            if column is None:
                column = self._metrics[name] = array("d", [_NAN]) * self._room
            column[row] = value
        if "u" in body:
            cpu, memory = body["u"]
            numbers["cpu"][row] = _NAN if cpu is None else cpu
            numbers["memory"][row] = _NAN if memory is None else memory

    def _add_curve(self, number: int, row: int, reports: Sequence[Report]) -> None:
        state = STATES[self._states[row]]
        column = self._metrics.get(self._goal.metric)
        value = None if column is None or state is not State.FINISHED else (column[row],)
        self._curves.add(Result(number, {}, state, value=value), reports)

    def _retried(self, body: Mapping[str, Any]) -> None:
        again = {self._rows[number] for number in body["n"] if number in self._rows}
        self._order = [row for row in self._order if row not in again]
        self._ended = None
        for row in again:
            self._states[row] = 0
            self._texts["reason"][row] = ""
            for column in (*self._numbers.values(), *self._metrics.values()):
                column[row] = _NAN
        for number in body["n"]:
            self._messages.pop(number, None)
            self._curves.drop(number)

    # -- of the sweep as a whole

    @property
    def _goal(self) -> Goal:
        return Goal() if self._plan is None else self._plan.spec.goals[0]

    def _take(self, kind: str, body: Mapping[str, object]) -> None:
        match read_record(Record(kind, body)):
            case Plan() as plan:
                if not plan.spec.goals:
                    raise ValueError("the plan has no objective")
                self._plan, self._planned = plan, plan.spec.max_trials or 0
                self._several = plan.spec.units > 1
                self._curves = Curves(self._goal)
            case Parent() as parent:
                # What an earlier driver had at work is not at work any more.
                self._parent, self._ended, self._open = parent, None, set()
            case Extended() as extended:
                self._ended, self._planned = None, extended.max_trials
            case Late() as late:
                self._late = late.answers
            case Reported() as report:
                found = self._reports.setdefault(report.attempt.trial, [])
                found.append(Report(report.metrics, report.step, report.time))
            case Ended() as ended:
                self._ended, self._late = ended, ended.stale
                self._idle = self._idle if ended.idle is None else ended.idle


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r:.40} is not text")
    return value


def _passed_over(_: Mapping[str, Any]) -> None:
    """What pages do not show."""
