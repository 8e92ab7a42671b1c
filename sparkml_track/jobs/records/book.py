"""Rows of runs and tries, written as things happen. What cannot be written now is written with the next row."""

from __future__ import annotations

import json
import logging
import os
import socket
from datetime import datetime

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import TableError
from sparkml_track.governance.principals import user
from sparkml_track.jobs.course.states import RunState, TaskState
from sparkml_track.jobs.records.orders import Order

__all__ = ["Book", "Try"]

_log = logging.getLogger("sparkml_track.jobs")


class Try:
    """One try of a task, as it is recorded.

    Attributes:
        task: its name.
        kind: what it is.
        number: from 1; 0 of a task that was never begun.
        started: when, None if it was not.
        log: the file of what it printed.
    """

    def __init__(self, task: str, kind: str, number: int = 0, started: datetime | None = None, log: str = "") -> None:
        self.task = task
        self.kind = kind
        self.number = number
        self.started = started
        self.log = log


class Book:
    """The rows of one attempt at a run.

    Args:
        system: the tables.
        order: what was asked for.
    """

    def __init__(self, system: SystemTables, order: Order) -> None:
        self._system = system
        self._order = order
        self._late: list[tuple[str, dict[str, object]]] = []
        self._started: datetime | None = None

    def begin(self, now: datetime) -> None:
        """The run begins.

        Raises:
            TableError: it cannot be recorded.
        """
        self._started = now
        self._system.append("job_runs", [self._run(RunState.RUNNING, now, None, "")])

    def end(self, state: RunState, now: datetime, reason: str = "") -> None:
        """The run has ended.

        Raises:
            TableError: rows cannot be written.
        """
        self._late.append(("job_runs", self._run(state, now, now, reason)))
        self._write()

    def task(
        self, one: Try, state: TaskState, now: datetime, ended: bool = True, code: int | None = None, reason: str = ""
    ) -> None:
        """A task has another state; where the row cannot be written, it is with the next one."""
        order = self._order
        row: dict[str, object] = {
            "event_time": now,
            "run_id": order.run,
            "project": order.project,
            "job": order.job,
            "task": one.task,
            "kind": one.kind,
            "attempt": order.attempt,
            "try_number": one.number,
            "state": state.value,
            "started_at": one.started,
            "ended_at": now if ended else None,
            "exit_code": code,
            "reason": reason or None,
            "log": one.log or None,
        }
        self._late.append(("task_runs", row))
        try:
            self._write()
        except TableError as error:
            _log.warning("%s; it is tried again with the next row", error)

    def _write(self) -> None:
        while self._late:
            table, row = self._late[0]
            self._system.append(table, [row])
            del self._late[0]

    def _run(self, state: RunState, now: datetime, ended: datetime | None, reason: str) -> dict[str, object]:
        order = self._order
        return {
            "event_time": now,
            "run_id": order.run,
            "project": order.project,
            "job": order.job,
            "attempt": order.attempt,
            "state": state.value,
            "cause": order.cause,
            "logical_time": order.moment,
            "parameters": json.dumps(dict(order.parameters)),
            "started_at": self._started or now,
            "ended_at": ended,
            "config": order.config,
            "user": user(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "reason": reason or None,
        }
