from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sparkml_track.engine.publishing.report import Page, render, write_report
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.summary import Result, summarise
from sparkml_track.goal import Goal
from sparkml_track.plots import Plot, standard
from sparkml_track.trackers._content import read_content
from sparkml_track.trial import Report, State

HOSTILE = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>"
ONE = ((Goal("auc", maximize=True),),)


def finished(number: int, value: float, **params: object) -> Result:
    kind = {"kind": "forest", "depth": number + 2}
    return Result(number, {"model": kind, **params}, State.FINISHED, {"auc": value}, (value,), 1, 1.7e9 + number, 2.0)


def failed(number: int, message: str, reason: str = "exception") -> Result:
    return Result(number, {"model": {"kind": "linear"}}, State.FAILED, reason=reason, message=message, started=1.7e9)


def page(results: list[Result], **facts: str) -> Page:
    return Page("flights", summarise(results, len(results) + 3, 0, *ONE), results, facts)


class Reader(HTMLParser):
    """Tags, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"} or name.startswith("on")]
        if tag not in {"meta", "br", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text += " " + data


def drawn(page: Page, plots: Sequence[Plot]) -> str:
    return read_content(render(page, plots))


def test_the_page_has_counts_best_plots_table_and_failures() -> None:
    results = [finished(number, 0.5 + number / 100) for number in range(8)]
    results += [failed(8, "Traceback\nValueError: no rows"), failed(9, "ValueError: no rows\n  elsewhere")]
    results += [failed(10, "took longer than 60 s", "timeout")]
    read = Reader(drawn(page(results, **{"Parent run": "abc"}), standard()))
    assert read.open == []
    text = re.sub(r"\s+", " ", read.text)
    for part in ("14 planned", "8 finished", "3 failed", "3 not started", "Trial 7: auc = 0.57", "maximize auc"):
        assert part in text
    for title in ("Optimisation history", "Parameter importances", "Parallel coordinates", "Top trials", "Failures"):
        assert title in text
    assert "exception: 2 trials Trial 8, 9 Traceback ValueError: no rows" in text
    assert "timeout: 1 trial " in text
    assert text.index("exception: 2") < text.index("timeout: 1")
    assert "Parent run abc" in text
    assert "2023-11-14 22:13:20 UTC" in text


def test_the_page_needs_nothing_else_and_holds_the_library_once() -> None:
    html = drawn(page([finished(number, 0.5 + number / 100) for number in range(8)]), standard())
    read = Reader(html)
    assert read.links == []
    assert html.count("plotly.js v") == 1
    assert read.tags.count("script") == 1 + html.count('Plotly.newPlot("')
    assert "link" not in read.tags


def test_all_text_is_escaped() -> None:
    results = [finished(number, 0.5 + number / 100, **{HOSTILE: HOSTILE}) for number in range(8)]
    results += [failed(8, HOSTILE, HOSTILE)]
    summary = summarise(results, 9, 0, (Goal(HOSTILE, maximize=True),))
    html = drawn(Page(HOSTILE, summary, results, {HOSTILE: HOSTILE}), standard())
    read = Reader(html)
    assert "img" not in read.tags
    assert read.tags.count("script") == 1 + html.count('Plotly.newPlot("')
    assert read.links == []
    assert "alert(1)" in read.text


@pytest.mark.parametrize(
    "results",
    [[], [failed(0, "")], [finished(0, math.nan)], [Result(0, {}, State.PRUNED, {"auc": 0.5}), finished(1, math.inf)]],
)
def test_a_sweep_without_a_best_trial_still_has_a_page(results: list[Result]) -> None:
    read = Reader(drawn(page(results), standard()))
    assert "No trial finished with a finite value" in read.text
    assert read.open == []


def test_several_objectives_show_plots_for_each_and_the_front_first() -> None:
    results = [
        Result(n, {"x": n}, State.FINISHED, {"a": float(n), "b": float((n - 3) ** 2)}, (float(n), float((n - 3) ** 2)))
        for n in range(8)
    ]
    summary = summarise(results, 8, 0, (Goal("a"), Goal("b")))
    text = re.sub(r"\s+", " ", Reader(drawn(Page("two", summary, results), standard())).text)
    assert "4 trials lie on the Pareto front" in text
    assert "Optimisation history: a" in text
    assert "Optimisation history: b" in text


def test_what_is_the_same_for_all_objectives_is_drawn_once_and_each_figure_has_a_place_of_its_own() -> None:
    goals = (Goal("loss"), Goal("time"))
    results = [replace(finished(n, n / 10, x=n * 0.1, y=n % 3), value=(n / 10, 1.0 - n / 10)) for n in range(12)]
    results = [replace(one, started=1e9 + one.number, duration=0.5) for one in results]
    text = drawn(Page("two", summarise(results, 12, 0, goals), results), standard())
    places = re.findall(r'<div id="(plot-[^"]*)"', text)
    assert places and len(set(places)) == len(places)
    assert sum(place.startswith("plot-timeline") for place in places) == 1
    assert "Timeline: " not in text and "Slices: time" in text


def test_many_failures_are_grouped_and_clipped() -> None:
    results = [failed(number, f"KeyError: {number % 5}") for number in range(500)]
    text = re.sub(r"\s+", " ", Reader(drawn(page(results), ())).text)
    assert "exception: 500 trials" in text
    assert "200 more with other messages" in text
    assert "Trial 0, 5, 10, 15, 20, 25, 30, 35, 40, 45, ..." in text


def test_the_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "sweep.html"
    results = [finished(number, 0.5) for number in range(3)]
    for title in ("first", "second"):
        write_report(path, Page(title, summarise(results, 3, 0, *ONE), results))
        assert f"<h1>{title}</h1>" in path.read_text(encoding="utf-8")
    assert [one.name for one in path.parent.iterdir()] == ["sweep.html"]


def reported(*numbers: int) -> Curves:
    curves = Curves(ONE[0][0])
    for number in numbers:
        curves.add(finished(number, 0.5 + number / 100), [Report({"auc": step / 10}, step, 1.7e9) for step in range(3)])
    return curves


def test_learning_curves_are_drawn_where_trials_reported() -> None:
    results = [finished(number, 0.5 + number / 100) for number in range(8)]
    whole = page(results)
    text = Reader(drawn(replace(whole, curves=reported(1, 2)), standard())).text
    assert "Learning curves" in text
    for without in (whole, replace(whole, curves=reported())):
        assert "Learning curves" not in Reader(drawn(without, standard())).text


def test_one_objective_has_no_front_and_three_have_one_for_each_pair() -> None:
    assert "Pareto" not in Reader(drawn(page([finished(0, 0.5), finished(1, 0.6)]), standard())).text
    goals = (Goal("a"), Goal("b", maximize=True), Goal("c"))
    results = [
        Result(n, {"x": n}, State.FINISHED, {}, (float(n), float(n * 5 % 4), math.nan if n == 3 else 1.0))
        for n in range(4)
    ]
    html = drawn(Page("three", summarise(results, 4, 0, goals), results), standard())
    text = re.sub(r"\s+", " ", Reader(html).text)
    for pair in ("a and b", "a and c", "b and c"):
        assert f"Pareto front: {pair}" in text
    assert "no trial beats the 3 on the line" in text, "0, 1 and 2 rise in both, and trial 3 has no value for c"
    assert html.count('name":"Pareto front') == 3
