"""A parent run's values as rows."""

from __future__ import annotations

import math

from sparkml_track.trackers import ParentEnd
from sparkml_track.trackers._rows import parent_points
from sparkml_track.trial import Report, State


def test_what_a_curve_ends_with_is_not_a_point_of_its_own() -> None:
    curve = [Report({"best": 0.9}, 0, 10.0), Report({"best": 0.5}, 7, 12.0)]
    end = ParentEnd(State.FINISHED, {"best": 0.5, "mean": 0.7, "odd": math.nan}, ended=20.0, reports=curve)
    points = [(one.key, one.step, one.timestamp) for one in parent_points(end)]
    assert points == [("best", 0, 10_000), ("best", 7, 12_000), ("mean", 0, 20_000), ("odd", 0, 20_000)]


def test_a_value_that_no_curve_has_is_kept() -> None:
    end = ParentEnd(State.FINISHED, {"best": 0.4}, ended=20.0, reports=[Report({"best": 0.5}, 3, 12.0)])
    assert [(one.step, one.value) for one in parent_points(end)] == [(3, 0.5), (0, 0.4)]
