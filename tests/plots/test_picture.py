"""Plots as pictures without a script."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from sparkml_track.goal import Goal
from sparkml_track.plots import History, Importances, Plot, PlotTrial, PlotTrials, Timeline, picture
from sparkml_track.trial import State


def trials(count: int, **params: object) -> PlotTrials:
    values = [(n, float(n * 7 % 11), State.PRUNED if n % 9 == 8 else State.FINISHED) for n in range(count)]
    more = [(count, math.inf, State.FINISHED), (count + 1, math.nan, State.PRUNED)] if count else []
    return PlotTrials(
        PlotTrial(n, state, {"x": float(n * 7 % 11), "kind": n % 2, **params}, value, 100.0 + n, 1.0)
        for n, value, state in values + more
    )


@pytest.mark.parametrize("plot", [History(), Importances(), Timeline()], ids=lambda plot: type(plot).__name__)
@pytest.mark.parametrize("count", [1, 40, 3000])
def test_a_picture_is_small_whole_and_has_no_script(plot: Plot, count: int) -> None:
    shown = picture(plot.draw(trials(count), Goal()))
    assert len(shown) < 13_000
    if shown.startswith("<svg"):
        tags = {element.tag for element in ElementTree.fromstring(shown).iter()}
        assert tags <= {"svg", "text", "path", "rect"}
        assert "nan" not in shown
        assert "inf" not in shown


def test_points_lie_inside() -> None:
    shown = picture(History().draw(trials(40), Goal()))
    points = [(float(x), float(y)) for x, y in re.findall(r"M([\d.-]+) ([\d.-]+)h0", shown)]
    assert len(points) == 40
    assert all(0 < x < 440 and 0 < y < 230 for x, y in points)


def test_what_cannot_be_drawn_is_a_sentence() -> None:
    assert "No trial finished" in picture(History().draw(trials(0), Goal()))


def test_labels_are_escaped_once() -> None:
    shown = picture(Importances().draw(trials(40, **{"<b>&": 1.0}), Goal("<i>")))
    assert "<b>" not in shown
    assert "<i>" not in picture(History().draw(trials(3), Goal("<i>")))
    assert "&amp;lt;" not in shown


def test_equal_values_have_a_scale_too() -> None:
    same = PlotTrials(PlotTrial(n, State.FINISHED, {}, 0.0, 1.0, 1.0) for n in range(3))
    assert picture(History().draw(same, Goal())).startswith("<svg")
