"""Journals as drivers leave them, without a driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.dashboards import Page
from sparkml_track.engine.records.entries import written
from sparkml_track.engine.records.types import Accepted, Asked, BestTrial, Ended, JournalRecord, Parent, Plan, Submitted
from sparkml_track.home import Home
from sparkml_track.journals import Journal, open_journal
from sparkml_track.trial import AttemptId, Counts, State

T = 1_700_000_000.0


def plan(**changed: Any) -> Plan:
    """Of three parameters, one of them nested."""
    space: dict[str, Any] = {
        "x": {"uniform": [-1, 1]},
        "lr": {"loguniform": [0.0001, 1]},
        "m": {"choice": ["a", {"k": 1}]},
    }
    described: dict[str, Any] = {
        "space": space,
        "metric": ["loss"],
        "direction": ["minimize"],
        "max_trials": 10,
        "seed": 1,
        "parallelism": None,
        "tracking": {"uri": None, "child_runs": "all"},
        "failures": {"checkpoint_root": None},
    }
    from sparkml_track.engine.records.codec import planned_spec

    return Plan("tune", T, planned_spec({**described, **changed}), {}, {})


def asked(number: int, **params: object) -> Asked:
    given = {"x": number / 10 - 0.5, "lr": 0.01 * (number + 1), "m": "a" if number % 2 else {"k": number}}
    return Asked(number, given | params, 7)


def submitted(number: int, attempt: int = 1, unit: int = 0) -> Submitted:
    return Submitted(AttemptId(number, unit, attempt))


def accepted(number: int, value: float | None = None, state: State = State.FINISHED, **more: Any) -> Accepted:
    """The outcome of a trial; its value is 1 / (number + 1) by default."""
    metrics = {"loss": 1 / (number + 1) if value is None else value} if state is State.FINISHED else {}
    reason = {} if state is State.FINISHED else {"reason": "exception", "message": f"ValueError: {number}", "log": ""}
    given: dict[str, Any] = {"attempts": 1, "started": T + number, "duration": 2.0, "host": "one", "log": ""}
    return Accepted(number, state, **{"metrics": metrics, "reason": "", "message": "", **given, **reason, **more})


def trial(number: int, *rest: Any, **more: Any) -> list[JournalRecord]:
    return [asked(number), submitted(number), accepted(number, *rest, **more)]


def whole(trials: int = 10, failed: Iterable[int] = ()) -> list[JournalRecord]:
    """A sweep that finished."""
    bad = set(failed)
    records: list[JournalRecord] = [plan(max_trials=trials), Parent("run1", "3", T)]
    for number in range(trials):
        records += trial(number, state=State.FAILED) if number in bad else trial(number)
    best = max(set(range(trials)) - bad)
    counts = Counts(trials, finished=trials - len(bad), failed=len(bad))
    ended = Ended(State.FINISHED, "", counts, BestTrial(best, (1 / (best + 1),)), "run1", T + trials + 2, 0)
    return [*records, ended]


Write = Callable[..., None]
Live = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def page(home: Home) -> Page:
    return Page("sweeps", home)


@pytest.fixture
def write(home: Home) -> Write:
    """Writes records of a sweep, as a driver that then is gone."""

    def writes(records: Iterable[JournalRecord], sweep: str = "sweep") -> None:
        with running(home, sweep) as journal:
            add(journal, records)

    return writes


@contextmanager
def running(home: Home, sweep: str = "sweep") -> Iterator[Journal]:
    """A sweep with a driver."""
    journal = open_journal(home.root, sweep)
    try:
        yield journal
    finally:
        journal.close()


def add(journal: Journal, records: Iterable[JournalRecord]) -> None:
    journal.append([written(each) for each in records])
    journal.flush()
