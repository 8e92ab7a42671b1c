"""Plots of a monitoring run."""

from __future__ import annotations

import numpy as np

from sparkml_track.pages import render, text_of
from sparkml_track.plots import draw_drift, draw_quality, draw_scores, library, plotly_figure


def test_the_page_opens_without_a_network_and_escapes_what_it_shows() -> None:
    drawn = draw_drift([("wind", "11", 0.3, "drift"), ("wind", "12", 0.01, "too few rows")])
    html = text_of(render("page", library(), title="<b>month</b>", plots=[drawn]))
    assert "<b>month" not in html
    assert "src=" not in html.partition("<body>")[0].partition("<script>")[0]
    assert "0.30*" in html
    assert "(0.01)" in html


def test_a_column_missing_in_one_window_leaves_a_hole() -> None:
    drawn = draw_drift([("wind", "11", 0.3, "drift"), ("gust", "12", 0.1, "ok")])
    assert "0.30*" in drawn.html
    assert "0.10" in drawn.html


def test_long_columns_that_begin_alike_have_a_line_each() -> None:
    long = [f"{'mean_delay_of_the_carrier' * 3}_{days}" for days in (7, 28)]
    figure = plotly_figure(draw_drift([(name, "11", 0.3, "drift") for name in long]))
    assert len(set(figure.data[0].y)) == 2


def test_nothing_to_draw_is_said_in_a_sentence() -> None:
    assert all("Plotly" not in plot.html for plot in (draw_drift([]), draw_quality([]), draw_scores([])))
    assert "No label" in draw_quality([]).html


def test_scores_of_the_baseline_are_one_line_and_each_window_another() -> None:
    counts = np.arange(1000.0)
    drawn = draw_scores([("1", True, counts), ("2", True, counts), ("11", False, counts)])
    assert drawn.html.count('"name":"baseline"') == 1
    assert drawn.html.count('"name":"11"') == 1


def test_windows_of_the_baseline_are_marked() -> None:
    drawn = draw_quality([("1", True, 0.4, 0.7, 0.2, 0.2), ("11", False, 0.5, 0.6, 0.3, 0.2)])
    assert '"1*"' in drawn.html
    assert '"11"' in drawn.html
