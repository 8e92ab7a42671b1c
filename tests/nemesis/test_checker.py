"""The checker of the nemesis finds what it is there to find."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.nemesis.checker import _check_executions, _check_states
from tests.nemesis.executions import Executions
from tests.nemesis.nemesis import Death
from tests.nemesis.schedule import plan


def executions(folder: Path, *lines: str) -> Executions:
    (folder / "executions").write_text("".join(f"{line}\n" for line in lines))
    found = Executions(folder)
    found.read()
    return found


def accepted(**more: Any) -> Any:
    body = {"n": 5, "state": "finished", "metrics": {"loss": 4.5, "attempt": 1.0}, "k": 1}
    return SimpleNamespace(accepted={5: {**body, **more}}, asked={5: {"x": 3.0, "kind": {"name": "b", "c": 0.5}}})


def test_executions_are_read_as_the_file_grows_and_a_line_that_is_not_whole_waits(tmp_path: Path) -> None:
    found = executions(tmp_path, "begin 5 1 first 77", "begin 6 1 first 78", "end 5 1 first 77")
    assert [(e.trial, e.attempt, e.pid) for e in found.begun] == [(5, 1, 77), (6, 1, 78)]
    assert [e.trial for e in found.running] == [6]
    with (tmp_path / "executions").open("a") as file:
        file.write("begin 7 1 fir")
    assert found.read() == 2
    with (tmp_path / "executions").open("a") as file:
        file.write("st 79\n")
    assert found.read() == 3


def test_an_accepted_trial_that_the_next_driver_executes_is_found(tmp_path: Path) -> None:
    lines = ["begin 5 1 first 77", "begin 5 2 second 80"]
    before = executions(tmp_path, *lines[:1]).begun
    with pytest.raises(AssertionError, match="accepted before the driver died, and executed again"):
        _check_executions(accepted(), executions(tmp_path, *lines), Death({5}, before))
    _check_executions(accepted(), executions(tmp_path, *lines), Death(set(), before))


def test_an_attempt_that_is_executed_twice_or_never_is_found(tmp_path: Path) -> None:
    line = "begin 5 1 first 77"
    whole = executions(tmp_path, line)
    death = Death({5}, whole.begun)
    _check_executions(accepted(), whole, death)
    with pytest.raises(AssertionError, match="executed twice"):
        _check_executions(accepted(), executions(tmp_path, line, line), death)
    with pytest.raises(AssertionError, match="attempt 2 never ran"):
        _check_executions(accepted(metrics={"loss": 4.5, "attempt": 2.0}), whole, death)


@pytest.mark.parametrize(
    "more",
    [
        {"metrics": {"loss": 4.0}},
        {"state": "failed", "why": "worker lost"},
        {"state": "failed", "why": "exception"},
        {"state": "killed"},
    ],
)
def test_a_wrong_state_or_the_value_of_another_trial_is_found(more: dict[str, Any]) -> None:
    made = replace(plan(1, 200, 2), pruner="median", units=1)
    _check_states(made, accepted())
    with pytest.raises(AssertionError):
        _check_states(made, accepted(**more))


def test_a_unit_that_had_its_outcome_and_is_executed_again_is_found(tmp_path: Path) -> None:
    lines = ["begin 5 1 first 77 0", "begin 5 1 first 78 1", "begin 5 2 second 80 1"]
    before = executions(tmp_path, *lines[:2]).begun
    whole = accepted(metrics={"loss": 5.0, "fold_0_attempt": 1.0, "fold_1_attempt": 2.0})
    _check_executions(whole, executions(tmp_path, *lines), Death(set(), before, {(5, 0)}), 2)
    with pytest.raises(AssertionError, match="accepted before the driver died, and executed again"):
        _check_executions(whole, executions(tmp_path, *lines), Death(set(), before, {(5, 1)}), 2)
    with pytest.raises(AssertionError, match="attempt 2 never ran"):
        _check_executions(whole, executions(tmp_path, *lines[:2]), Death(set(), before), 2)


def test_the_value_of_a_trial_is_the_mean_of_its_units() -> None:
    made = replace(plan(1, 200, 2), pruner=None, units=2)
    _check_states(made, accepted(metrics={"loss": 5.0}))
    with pytest.raises(AssertionError):
        _check_states(made, accepted())
