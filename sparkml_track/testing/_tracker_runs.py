"""Runs for the case of trackers."""

from __future__ import annotations

import math
from dataclasses import replace

from sparkml_track import schema
from sparkml_track.refs import DataRef, TableRef
from sparkml_track.trackers import ChildRun, ParentRun
from sparkml_track.trial import NestedRun, Report, RunLog, State

__all__ = ["START", "sample_child", "sample_nested", "sample_parent"]

START = 1_700_000_000.0


def sample_parent(sweep: str = "sweep-1") -> ParentRun:
    """A parent run with params, tags and data, with and without a table."""
    table = TableRef("sales.train", "/tables/sales/train", 0)
    return ParentRun(
        sweep=sweep,
        name=f"name of {sweep}",
        experiment="conformance",
        params={"metric": "loss", "space.lr.low": 0.001, "max_trials": 40},
        tags={schema.TAG_PYTHON: "3.11"},
        data=(DataRef("train", "d" * 64, 100, table), DataRef("valid", "e" * 8)),
        started=START,
    )


def sample_child(number: int, state: State = State.FINISHED) -> ChildRun:
    """A trial with steps, odd numbers, a log and everything else a child run can have."""
    at = START + number
    steps = tuple(Report({"loss": 1 / step, "odd": math.nan}, step, at + step / 10) for step in (1, 2, 3))
    ended = state.terminal
    return ChildRun(
        number=number,
        params={"lr": 0.1 * (number + 1), "model.kind": "forest", "model.depth": 7, "flag": True, "none": None},
        state=state,
        metrics={"loss": 0.25, "auc": 0.9, "worst": -math.inf, "undefined": math.nan} if ended else {},
        reports=steps,
        started=at,
        duration=1.5 if ended else 0.0,
        attempts=2,
        reason="" if state in {State.FINISHED, State.RUNNING} else "exception",
        message="ValueError: no" if state is State.FAILED else "",
        log="line 1\nline 2 é\n" if ended else "",
        host="127.0.0.1",
    )


def sample_nested(number: int, attempt: int = 1) -> ChildRun:
    """The same with two runs inside its own, and one inside the first of these; ids are those of the attempt."""
    trial, one, two, deep = (f"{number:x}{attempt:x}{index:x}".rjust(32, "0") for index in range(4))
    runs = (
        NestedRun(one, "fold 0", trial, START, START + 1, "FINISHED"),
        NestedRun(deep, "deep", one, START, START + 1, "FINISHED"),
        NestedRun(two, "fold 1", trial, START, START + 1, "FAILED"),
    )
    return replace(sample_child(number), logged=RunLog(nested=runs))
