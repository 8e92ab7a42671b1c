"""What a hostile slot may send, and what becomes of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sparkml_track.engine.records.codec import encode, planned_spec
from sparkml_track.engine.records.types import Asked, JournalRecord, Plan, Reported, Submitted
from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.records import accepted, values_of
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.executors._attempts.received import BadMessage, outcome_of, report_of
from sparkml_track.journals import Record, _lines
from sparkml_track.slot.wire.messages import Done, Report
from sparkml_track.space import parse, uniform
from sparkml_track.trial import AttemptId

DONE: dict[str, Any] = {"state": "finished", "metrics": {"loss": 0.5}, "started": 1.7e9, "duration": 0.1}
REPORT: dict[str, Any] = {"number": 0, "step": 3, "metrics": {"loss": 0.5}, "time": 1.7e9}
SPEC = Spec(lambda _: 0.0, parse({"x": uniform(0, 9)}), "s", "e")
BEGUN = [Plan("s", 1.0, planned_spec(SPEC.plan()), {}, {}), Asked(0, {"x": 1}, 1), Submitted(AttemptId(0, 0, 1))]
PLAIN = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20)
ANYTHING = some.recursive(
    PLAIN, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3), max_leaves=5
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "running"}, "state is 'running'; allowed are finished, pruned, failed, killed"),
        ({"state": None}, "state is None"),
        ({"state": []}, "state is a list of 0"),
        ({"metrics": {}}, "finished without the metric 'loss'"),
        ({"metrics": [1]}, "metrics are a list of 1"),
        ({"metrics": {"loss": "low"}}, "metric 'loss' is 'low'; allowed is a number"),
        ({"metrics": {"loss": True}}, "metric 'loss' is True"),
        ({"metrics": {"loss": 10**400}}, "metric 'loss' is too large"),
        ({"metrics": {"loss": 1.0, "x" * 251: 1.0}}, "allowed are 1 to 250 characters"),
        ({"metrics": {"loss": 1.0, "\ud800": 1.0}}, "allowed are 1 to 250 characters"),
        ({"metrics": {"loss": 1.0} | {f"m{n}": 1.0 for n in range(1000)}}, "mapping of at most 1000"),
        ({"duration": math.inf}, "duration is inf"),
        ({"duration": -1.0}, "duration is -1.0"),
        ({"started": math.nan}, "started is nan"),
        ({"started": "now"}, "started is 'now'"),
        ({"started": 10**30}, "started is 1000000"),
        ({"reason": "because", "state": "failed"}, "reason is 'because'"),
        ({"message": 7}, "message is 7; allowed is text"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused_with_what_came(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadMessage, match=said):
        outcome_of(Done("0.0.1", **{**DONE, **change}), "h", ["loss"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"step": 10**30}, "step is 1000000"),
        ({"step": 0.5}, "step is 0.5; allowed is a whole number"),
        ({"number": -1}, "number is -1"),
        ({"number": "0"}, "number is '0'"),
        ({"time": math.inf}, "time is inf"),
        ({"metrics": {"loss": "low"}}, "metric 'loss' is 'low'"),
        ({"metrics": None}, "metrics are None"),
    ],
)
def test_a_report_that_cannot_be_is_refused_with_what_came(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadMessage, match=said):
        report_of(Report("0.0.1", **{**REPORT, **change}))


def test_half_a_surrogate_in_a_message_or_log_becomes_a_question_mark() -> None:
    outcome = outcome_of(Done("0.0.1", **DONE, message="a\udc80", log="\ud800b"), "h", ["loss"])
    assert (outcome.message, outcome.log) == ("a?", "?b")


def journalled(*said: JournalRecord) -> Iterator[Record]:
    for record in (*BEGUN, *said):
        yield Record(*_lines.decode(_lines.encode(*encode(record))))


@given(some.fixed_dictionaries({}, optional=dict.fromkeys([*DONE, "reason", "message", "log"], ANYTHING)))
def test_whatever_outcome_is_accepted_can_be_read_back(change: dict[str, object]) -> None:
    try:
        outcome = outcome_of(Done("0.0.1", **json.loads(json.dumps({**DONE, **change}))), "h", ["loss"])
    except BadMessage:
        return
    value = values_of(outcome.state, outcome.metrics, ["loss"])
    result = Result(
        0, {"x": 1}, outcome.state, outcome.metrics, value, 1, outcome.started, outcome.duration, outcome.reason
    )
    past = History.of(journalled(accepted(result, outcome.log)))
    assert past.results[0].state is outcome.state
    assert past.problems == []


@given(some.fixed_dictionaries({}, optional=dict.fromkeys(REPORT, ANYTHING)))
def test_whatever_report_is_accepted_can_be_read_back(change: dict[str, object]) -> None:
    try:
        _, report = report_of(Report("0.0.1", **json.loads(json.dumps({**REPORT, **change}))))
    except BadMessage:
        return
    past = History.of(journalled(Reported(AttemptId(0, 0, 1), report.step, report.metrics, report.time)))
    assert past.reports[0][0].step == report.step
