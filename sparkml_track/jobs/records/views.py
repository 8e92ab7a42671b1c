"""Runs, read again from their rows: each attempt with its tries, and what became of those whose process died."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home
from sparkml_track.jobs.course.states import RunState, TaskState
from sparkml_track.jobs.records.lock import Holder, holder

__all__ = ["Attempt", "Run", "TaskTry", "find_run", "read_runs", "runs_of"]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TaskTry:
    """One try of a task, or that it was never begun.

    Attributes:
        task: its name.
        kind: what it is.
        attempt: of the run.
        number: of the try, from 1; 0 where it was never begun.
        state: as recorded; interrupted where the run was lost while it ran.
        started: None where it was not.
        ended: None where it has not, or nobody saw it.
        code: the exit code.
        reason: why it did not succeed.
        log: a file.
    """

    task: str
    kind: str
    attempt: int
    number: int
    state: TaskState
    started: datetime | None
    ended: datetime | None
    code: int | None
    reason: str
    log: str


@dataclass(frozen=True)
class Attempt:
    """One attempt at a run.

    Attributes:
        number: from 1.
        state: of the attempt.
        cause: what began it.
        started: when.
        ended: when; None where it has not, or nobody saw it.
        reason: why it did not succeed.
        tries: of all tasks, in the order of their beginnings.
    """

    number: int
    state: RunState
    cause: str
    started: datetime
    ended: datetime | None
    reason: str
    tries: tuple[TaskTry, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        id: of the run.
        project: the name in its config file.
        job: its name there.
        moment: that the run is for.
        parameters: with their values.
        config: the file.
        attempts: the first, and its repairs.
    """

    id: str
    project: str
    job: str
    moment: datetime
    parameters: Mapping[str, Any]
    config: str
    attempts: tuple[Attempt, ...] = field(default=())

    @property
    def last(self) -> Attempt:
        """The attempt that counts."""
        return self.attempts[-1]

    @property
    def state(self) -> RunState:
        """Of the last attempt."""
        return self.last.state

    @property
    def cause(self) -> str:
        """What began the run."""
        return self.attempts[0].cause

    @property
    def tasks(self) -> dict[str, TaskTry]:
        """The last try of each task, over all attempts."""
        return {one.task: one for attempt in self.attempts for one in attempt.tries}


def read_runs(system: SystemTables, home: Home, *, run: str = "", job: str = "", project: str = "") -> tuple[Run, ...]:
    """Runs in the order of their beginnings.

    Args:
        system: the tables.
        home: whose locks say which runs are under way.
        run: of this id alone.
        job: of this job alone.
        project: of this project alone.
    """
    rows = [
        row
        for row in system.rows("job_runs").to_pylist()
        if run in ("", row["run_id"]) and job in ("", row["job"]) and project in ("", row["project"])
    ]
    return runs_of(rows, system.rows("task_runs").to_pylist() if rows else (), home)


def runs_of(rows: Iterable[Row], task_rows: Iterable[Row], home: Home) -> tuple[Run, ...]:
    """Runs in the order of their beginnings.

    Args:
        rows: of ``system.job_runs``: all of each run.
        task_rows: of ``system.task_runs``; those of other runs are passed over.
        home: whose locks say which runs are under way.
    """
    tries = _grouped(task_rows, "run_id")
    holders: dict[tuple[str, str], Holder | None] = {}
    made = []
    for one, own in _grouped(rows, "run_id").items():
        key = own[0]["project"], own[0]["job"]
        if key not in holders and any(row["state"] == RunState.RUNNING for row in own):
            holders[key] = holder(home, *key)
        made.append(_run(one, own, tries.get(one, []), holders.get(key)))
    return tuple(sorted(made, key=lambda each: each.attempts[0].started))


def find_run(system: SystemTables, home: Home, name: str) -> Run:
    """The run of an id, or of the beginning of one, or the last run of a job of this name that was not skipped.

    Raises:
        InvalidInput: there is none, or several.
    """
    runs = read_runs(system, home)
    exact = [run for run in runs if run.id == name]
    found = exact or [run for run in runs if run.id.startswith(name)] if name else []
    if not exact and (own := [run for run in runs if run.job == name]):
        found = ([run for run in own if run.state is not RunState.SKIPPED] or own)[-1:]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(run.id for run in found[-5:])
        raise InvalidInput(f"{name!r} begins the ids of {len(found)} runs, such as {shown}; give more of it")
    known = ", ".join(run.id for run in runs[-5:]) or "none"
    raise InvalidInput(f"there is no run {name!r} in {home.root}; the last ones are: {known} (sparkml-track job runs)")


def _run(name: str, rows: list[Row], tries: list[Row], held: Holder | None) -> Run:
    first = rows[0]
    alive = held is not None and held.run == name
    numbers = _grouped(rows, "attempt")
    return Run(
        id=name,
        project=first["project"],
        job=first["job"],
        moment=_utc(first["logical_time"]) or datetime.fromtimestamp(0, UTC),
        parameters=json.loads(first["parameters"] or "{}"),
        config=first["config"] or "",
        attempts=tuple(
            _attempt(number, own, [row for row in tries if row["attempt"] == number], alive, number == max(numbers))
            for number, own in sorted(numbers.items())
        ),
    )


def _attempt(number: int, rows: list[Row], tries: list[Row], alive: bool, newest: bool) -> Attempt:
    row = _standing(rows)
    lost = row["state"] == RunState.RUNNING and not (alive and newest)
    state = RunState.LOST if lost else RunState(row["state"])
    reason = "its process ended without a word" if lost else row["reason"] or ""
    under_way = state is RunState.RUNNING
    return Attempt(
        number=number,
        state=state,
        cause=row["cause"],
        started=_utc(row["started_at"]) or datetime.fromtimestamp(0, UTC),
        ended=_utc(row["ended_at"]),
        reason=reason,
        tries=tuple(_tries(tries, under_way)),
    )


def _tries(rows: list[Row], under_way: bool) -> Iterable[TaskTry]:
    made = []
    for own in _grouped(rows, "task").values():
        for number, each in sorted(_grouped(own, "try_number").items()):
            made.append(_try(number, _standing(each), under_way))
    # Tasks that were never begun come last.
    late = datetime.max.replace(tzinfo=UTC)
    return sorted(made, key=lambda one: one.started or late)


def _try(number: int, row: Row, under_way: bool) -> TaskTry:
    state, reason = TaskState(row["state"]), row["reason"] or ""
    if state is TaskState.RUNNING and not under_way:
        state, reason = TaskState.INTERRUPTED, "the run was lost"
    return TaskTry(
        task=row["task"],
        kind=row["kind"],
        attempt=row["attempt"],
        number=number,
        state=state,
        started=_utc(row["started_at"]),
        ended=_utc(row["ended_at"]),
        code=row["exit_code"],
        reason=reason,
        log=row["log"] or "",
    )


def _standing(rows: list[Row]) -> Row:
    """The row that counts: one that says how it ended, else the one that it began. Clocks may have gone back."""
    return next((row for row in rows if row["state"] != "running"), rows[0])


def _grouped(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    made: dict[Any, list[Row]] = {}
    for row in rows:
        made.setdefault(row[key], []).append(row)
    return made


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)
