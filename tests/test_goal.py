"""What an objective is after."""

from __future__ import annotations

import math

import pytest

from sparkml_track.goal import Goal, goals_of, losses


@pytest.mark.parametrize("maximize", [False, True])
def test_a_better_value_has_a_smaller_loss_and_a_loss_turns_back_into_its_value(maximize: bool) -> None:
    goal = Goal("auc", maximize)
    assert goal.better(2.0, 1.0) is maximize
    assert goal.better(1.0, 2.0) is not maximize
    assert not goal.better(1.0, 1.0)
    assert not goal.better(math.nan, 1.0)
    assert not goal.better(1.0, math.nan)
    assert goal.loss(goal.loss(3.0)) == 3.0


def test_goals_are_made_of_names_and_directions_and_say_them() -> None:
    goals = goals_of(("auc", "seconds"), ("maximize", "minimize"))
    assert [(goal.metric, goal.direction) for goal in goals] == [("auc", "maximize"), ("seconds", "minimize")]
    assert losses(goals, {"seconds": 2.0, "auc": 0.5}) == (-0.5, 2.0)
    with pytest.raises(ValueError, match="zip"):
        goals_of(("auc",), ())
