"""Asserts the accounting invariants of a sweep, from its raw journal and its child runs.

It shares no code with ``verify`` beyond the readers, so that each can find the other wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sparkml_track import schema
from sparkml_track.journals import read
from sparkml_track.trackers import StoredChild, StoredParent, Tracker, open_tracker

__all__ = ["assert_accounting"]

_STATES = ("finished", "pruned", "failed", "killed")
_STATUS = {"finished": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "killed": "KILLED"}


def assert_accounting(home: Path, sweep: str, tracking: str | Tracker | None = None) -> Mapping[str, int]:
    """Asserts invariants 1 to 4 of a sweep that ended.

    Args:
        home: the state folder.
        sweep: its id.
        tracking: the URI of the tracking store, or a tracker on it; the SQLite file of the home if None.

    Returns:
        How many trials there are in each state, and ``attempts`` over all of them.
    """
    asked, accepted, submitted, ended = _journal(home, sweep)
    if isinstance(tracking, Tracker):
        return _check(tracking, sweep, asked, (accepted, submitted, ended))
    with closing(open_tracker(tracking, home)) as tracker:
        return _check(tracker, sweep, asked, (accepted, submitted, ended))


Bodies = dict[int, Mapping[str, Any]]


def _journal(home: Path, sweep: str) -> tuple[Bodies, Bodies, Counter[int], Mapping[str, Any]]:
    asked: Bodies = {}
    accepted: Bodies = {}
    submitted: Counter[int] = Counter()
    ended: Mapping[str, Any] = {}
    for record in read(home, sweep):
        body: Mapping[str, Any] = record.body
        if record.kind == "asked":
            assert body["n"] not in asked, f"trial {body['n']} was asked twice"
            asked[body["n"]] = body
        elif record.kind == "submitted":
            number = int(body["a"].split(".")[0])
            assert number in asked, f"attempt {body['a']} of a trial that was not asked"
            assert number not in accepted, f"attempt {body['a']} after the outcome was accepted"
            submitted[number] += 1
        elif record.kind == "accepted":
            assert body["n"] not in accepted, f"trial {body['n']} has two accepted outcomes"
            assert body["n"] in asked
            accepted[body["n"]] = body
        elif record.kind == "retried":
            for number in body["n"]:
                assert accepted.pop(number)["state"] in ("killed", "failed"), f"trial {number} was not to be retried"
        elif record.kind == "ended":
            ended = body
    return asked, accepted, submitted, ended


def _check(
    tracker: Tracker, sweep: str, asked: Bodies, journal: tuple[Bodies, Counter[int], Mapping[str, Any]]
) -> Mapping[str, int]:
    accepted, submitted, ended = journal
    run_id = tracker.find(sweep)
    assert run_id is not None, "there is no parent run"
    parent = tracker.parent(run_id)
    assert ended, "the journal has no end"
    assert sorted(accepted) == sorted(asked), "trials without an outcome"
    children = list(tracker.children(run_id))
    counts = Counter(child.number for child in children)
    assert counts == Counter(list(asked)), f"child runs differ from started trials: {counts - Counter(list(asked))}"
    for child in children:
        _check_child(child, asked[child.number], accepted[child.number])
    states = Counter(str(body["state"]) for body in accepted.values())
    _check_parent(parent, states, ended)
    return {**{state: states[state] for state in _STATES}, "attempts": sum(submitted.values())}


def _check_child(child: StoredChild, asked: Mapping[str, Any], accepted: Mapping[str, Any]) -> None:
    where = f"trial {child.number}"
    assert child.state.value == accepted["state"], where
    assert child.attempts == accepted["k"], where
    assert child.params == {name: str(value) for name, value in _flat(asked["params"])}, where
    for name, value in accepted["metrics"].items():
        stored = child.metrics[name]
        assert stored == value or math.isnan(value) or math.isinf(value), f"{where}: {name} {stored} {value}"


def _check_parent(parent: StoredParent, states: Counter[str], ended: Mapping[str, Any]) -> None:
    metrics, tags = parent.metrics, parent.tags
    assert metrics["trials_running"] == 0
    for state in _STATES:
        assert metrics[f"trials_{state}"] == states[state], f"{state}: {metrics[f'trials_{state}']} {states[state]}"
    sums = sum(metrics[f"trials_{name}"] for name in (*_STATES, "running", "not_started"))
    assert metrics["trials_planned"] == sums
    # Late answers are counted, apart from the trials.
    assert metrics["attempts_stale"] == ended["stale"]
    assert tags[schema.TAG_DIGEST] == ended["digest"]
    assert tags[schema.TAG_STATE] == ended["state"]
    assert parent.status == _STATUS[ended["state"]]


def _flat(params: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for name, value in params.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return flat
