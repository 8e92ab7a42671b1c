"""Asserts the accounting invariants of a sweep, from its raw journal and its child runs.

It shares no code with ``verify`` beyond the readers, so that each can find the other wrong.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkml_track import schema
from sparkml_track.journals import Record, read
from sparkml_track.trackers import StoredChild, StoredParent, Tracker, open_tracker
from sparkml_track.trial import AttemptId

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
    said = _Said.of(read(home, sweep))
    if isinstance(tracking, Tracker):
        return _check(tracking, sweep, said)
    with closing(open_tracker(tracking, home)) as tracker:
        return _check(tracker, sweep, said)


Bodies = dict[int, Mapping[str, Any]]


@dataclass
class _Said:
    """What a journal says; ``early``: trials that had their child run when the sweep was gone on with."""

    plan: Mapping[str, Any] = field(default_factory=dict)
    asked: Bodies = field(default_factory=dict)
    accepted: Bodies = field(default_factory=dict)
    submitted: Counter[int] = field(default_factory=Counter)
    logged: dict[tuple[int, int], Mapping[str, str]] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)
    ended: Mapping[str, Any] = field(default_factory=dict)
    units: dict[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> _Said:
        """Asserts on the way that no record contradicts an earlier one."""
        said = cls()
        for record in records:
            getattr(said, f"_{record.kind}", lambda _: None)(record.body)
        return said

    def _plan(self, body: Mapping[str, Any]) -> None:
        self.plan = body["spec"]

    def _parent(self, _: Mapping[str, Any]) -> None:
        self.early = set(self.published)

    def _published(self, body: Mapping[str, Any]) -> None:
        self.published |= set(body["n"])

    def _asked(self, body: Mapping[str, Any]) -> None:
        assert body["n"] not in self.asked, f"trial {body['n']} was asked twice"
        self.asked[body["n"]] = body

    def _submitted(self, body: Mapping[str, Any]) -> None:
        attempt = AttemptId.parse(body["a"])
        number = attempt.trial
        assert number in self.asked, f"attempt {body['a']} of a trial that was not asked"
        assert number not in self.accepted, f"attempt {body['a']} after the outcome was accepted"
        assert (number, attempt.unit) not in self.units, f"attempt {body['a']} after the outcome of its unit"
        self.submitted[number] += 1
        self.logged.pop((number, attempt.unit), None)

    def _logged(self, body: Mapping[str, Any]) -> None:
        """Params that the latest attempt of a unit logged through MLflow; the first value of a name counts."""
        attempt = AttemptId.parse(body["a"])
        key = attempt.trial, attempt.unit
        self.logged[key] = {**body.get("params", {}), **self.logged.get(key, {})}

    def _unit(self, body: Mapping[str, Any]) -> None:
        """Of a trial with several units."""
        attempt = AttemptId.parse(body["a"])
        assert attempt.trial in self.asked and attempt.trial not in self.accepted, f"unit {body['a']} of no open trial"
        assert (attempt.trial, attempt.unit) not in self.units, f"unit {body['a']} has two accepted outcomes"
        self.units[attempt.trial, attempt.unit] = body["state"]

    def _accepted(self, body: Mapping[str, Any]) -> None:
        assert body["n"] not in self.accepted, f"trial {body['n']} has two accepted outcomes"
        assert body["n"] in self.asked
        self.accepted[body["n"]] = body

    def _retried(self, body: Mapping[str, Any]) -> None:
        for number in body["n"]:
            state = self.accepted.pop(number)["state"]
            assert state in ("killed", "failed"), f"trial {number} was not to be retried"
            self.units = {key: end for key, end in self.units.items() if key[0] != number or end == "finished"}

    def _ended(self, body: Mapping[str, Any]) -> None:
        self.ended = body

    def params(self, number: int) -> dict[str, str]:
        """What the units of a trial that have outcomes logged; the first one that has a name counts."""
        mine = sorted((key for key in self.logged if key[0] == number), reverse=True)
        several = self.plan.get("units", {}).get("count", 1) > 1  # a gang is one
        of_units = [self.logged[key] for key in mine if key in self.units or not several]
        return {name: value for params in of_units for name, value in params.items()}

    def children(self) -> set[int]:
        """The trials that must have a child run."""
        kind, _, most = self.plan["tracking"]["child_runs"].partition(":")
        if kind == "all":
            return set(self.asked)
        if kind == "none":
            return set()
        (metric,), (direction,) = self.plan["metric"], self.plan["direction"]
        sign = -1 if direction == "maximize" else 1
        finished = {n: body["metrics"][metric] for n, body in self.accepted.items() if body["state"] == "finished"}
        ranked = sorted((sign * value, n) for n, value in finished.items() if math.isfinite(value))
        # Those of an interrupted end stay.
        return {n for _, n in ranked[: int(most)]} | self.early


def _check(tracker: Tracker, sweep: str, said: _Said) -> Mapping[str, int]:
    asked, accepted, ended = said.asked, said.accepted, said.ended
    run_id = tracker.find(sweep)
    assert run_id is not None, "there is no parent run"
    parent = tracker.parent(run_id)
    assert ended, "the journal has no end"
    assert sorted(accepted) == sorted(asked), "trials without an outcome"
    children = list(tracker.children(run_id))
    counts = Counter(child.number for child in children)
    wanted = Counter(said.children())
    assert counts == wanted, f"child runs too many: {counts - wanted}, and missing: {wanted - counts}"
    for child in children:
        _check_child(child, asked[child.number], accepted[child.number], said.params(child.number))
    states = Counter(str(body["state"]) for body in accepted.values())
    _check_parent(parent, states, ended)
    _check_best(parent, said)
    return {**{state: states[state] for state in _STATES}, "attempts": sum(said.submitted.values())}


def _check_child(
    child: StoredChild, asked: Mapping[str, Any], accepted: Mapping[str, Any], logged: Mapping[str, str]
) -> None:
    where = f"trial {child.number}"
    assert child.state.value == accepted["state"], where
    assert child.status == _STATUS[child.state.value], where
    assert child.attempts == accepted["k"], where
    own = {name: str(value) for name, value in _flat(asked["params"])}
    assert child.params == {**logged, **own}, where
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


def _check_best(parent: StoredParent, said: _Said) -> None:
    """Of one metric; recomputed here in another way than by the package."""
    if len(said.plan["metric"]) > 1:
        return
    (metric,), (direction,) = said.plan["metric"], said.plan["direction"]
    values = [body["metrics"][metric] for body in said.accepted.values() if body["state"] == "finished"]
    if values and all(map(math.isfinite, values)):
        assert math.isclose(parent.metrics[f"{metric}_mean"], statistics.fmean(values), rel_tol=1e-6, abs_tol=1e-9)
    values = [value for value in values if math.isfinite(value)]
    best = f"best_{metric}"
    assert (best in parent.metrics) == bool(values)
    if values:
        assert parent.metrics[best] == (max(values) if direction == "maximize" else min(values))


def _flat(params: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for name, value in params.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return flat
