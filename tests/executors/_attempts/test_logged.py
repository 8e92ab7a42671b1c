"""What a hostile slot may send as logged through MLflow, and what becomes of it."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sparkml_track.executors._attempts.logged import run_log_of
from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.slot.attempt import run_log
from sparkml_track.slot.attempt.run_log import Recorder
from sparkml_track.slot.wire.messages import Logged, Message, Run
from sparkml_track.trial import NESTED, RunLog

PARAM, TAG, METRIC = ["p", "a", "1"], ["t", "b", "2"], ["m", "c", 0.5, 1500, 3]
DATA = ["d", "frame", "0c1d", "code", "{}", None, None, {"mlflow.data.context": "training"}]
MODEL = ["l", "m-" + "0" * 32, "clf", None, 2, 1500, 1600, "0" * 32, {"a": "b"}, {}]
PLAIN = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9)
ANYTHING = some.recursive(
    PLAIN, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3), max_leaves=5
)


def test_what_was_logged_arrives() -> None:
    log = run_log_of(Logged("0.0.1", [PARAM, TAG, METRIC, ["m", "c", "nan", 1500, 4], DATA, MODEL]))
    assert (log.params, log.tags) == ({"a": "1"}, {"b": "2"})
    assert tuple(log.metrics[0]) == ("c", 0.5, 3, 1.5)
    assert math.isnan(log.metrics[1].value)
    assert (log.inputs[0]["name"], log.models[0]["name"]) == ("frame", "clf")


def test_runs_inside_that_of_the_trial_arrive_by_their_ids() -> None:
    one, two = "a" * 32, "b" * 32
    values = [["n", one, "fold", "0" * 32, 1500], ["r", one, PARAM], ["r", one, METRIC], ["n", two, "deep", one, 1600]]
    first = run_log_of(Logged("0.0.1", values))
    last = run_log_of(Logged("0.0.1", [["r", one, DATA], ["r", two, TAG], ["e", one, "FAILED", 2500], PARAM]))
    log = RunLog.joined([first, last])
    fold, deep = log.nested
    assert (fold.name, fold.parent, fold.started, fold.ended, fold.status) == ("fold", "0" * 32, 1.5, 2.5, "FAILED")
    assert (fold.log.params, fold.log.metrics[0].name, fold.log.inputs[0]["name"]) == ({"a": "1"}, "c", "frame")
    assert (deep.parent, deep.status, deep.log.tags) == (one, "", {"b": "2"})
    assert log.params == {"a": "1"}


def test_slots_send_as_many_nested_runs_as_the_driver_keeps() -> None:
    assert run_log.NESTED == NESTED


def test_of_nested_runs_only_those_that_began_are_kept_and_not_without_end() -> None:
    ids = [f"{index:032x}" for index in range(NESTED + 9)]
    began = [["n", one, "n", "f" * 32, 1500] for one in ids]
    log = RunLog.joined([run_log_of(Logged("0.0.1", [["r", "e" * 32, PARAM], *began]))])
    assert [one.id for one in log.nested] == ids[:NESTED]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([["n", "../up", "x", "0" * 32, 1]], "a run is '../up'"),
        ([["n", "0" * 32, 7, "0" * 32, 1]], "a run's name is 7"),
        ([["e", "0" * 32, "RUNNING", 1]], "a nested run ended as 'RUNNING'"),
        ([["r", "0" * 32, MODEL]], "a value of a nested run is"),
        ([["r", "0" * 32, ["r", "0" * 32, PARAM]]], "a value of a nested run is"),
        ("many", "allowed is a list"),
        ([["p", "a"]], "a logged value is a list of 2"),
        ([["q", "a", "b"]], "allowed are params, metrics"),
        ([["p", "x" * 251, "1"]], "allowed are 1 to 250 characters"),
        ([["m", "c", "low", 1500, 3]], "metric 'c' is 'low'"),
        ([["m", "c", 0.5, 1500, 10**30]], "the step of a metric is 1000000"),
        ([["m", "c", 0.5, "now", 3]], "the time of a metric is 'now'"),
        ([["m", "c", 0.5, 10**400, 3]], "the time of a metric is"),
        ([["d", "x" * 70_000, "", "", "", None, None, {}]], "a data set is"),
        ([["l", "../../up", "clf", None, 2, 1, 1, "0" * 32, {}, {}]], "a model is '../../up'"),
        ([PARAM] * 10_001, "at most 10000 values"),
    ],
)
def test_what_cannot_be_is_refused_with_what_came(values: Any, said: str) -> None:
    with pytest.raises(BadMessage, match=said):
        run_log_of(Logged("0.0.1", values))


@given(
    some.lists(
        some.lists(some.sampled_from(["p", "t", "m", "d", "l", "n", "e", "r"]) | ANYTHING, max_size=11), max_size=4
    )
    | ANYTHING
)
def test_whatever_comes_is_a_log_or_refused(values: Any) -> None:
    with contextlib.suppress(BadMessage):
        assert isinstance(run_log_of(Logged("0.0.1", json.loads(json.dumps(values)))), RunLog)


def recorder(sent: list[Message]) -> Recorder:
    return Recorder(Run("0.0.1", 0, {"x": 1, "model": {"depth": 3}}, 1, "0.0", 1), None, sent.append, "r1")  # type: ignore[arg-type]


def test_values_are_sent_in_batches_and_the_last_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "_WAIT", 3600.0)
    sent: list[Message] = []
    one = recorder(sent)
    for step in range(1200):
        one.add([["m", "c", 0.5, 1500, step]])
    assert [len(each.values) for each in sent] == [500, 500]  # type: ignore[union-attr, arg-type]
    one.close()
    assert len(sent[-1].values) == 200  # type: ignore[union-attr, arg-type]
    assert one.params == {"x": "1", "model.depth": "3"}


def test_an_attempt_may_not_log_without_end() -> None:
    one = recorder([])
    for _ in range(400):
        one.add([PARAM] * 500)
    with pytest.raises(ValueError, match="may log 200,000 values through MLflow"):
        one.add([PARAM])
