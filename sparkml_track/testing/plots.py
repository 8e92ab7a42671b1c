"""The conformance case of plots. Subclass it in a test module as ``Test...`` and give ``plot``."""

# ruff: noqa: D102  the names of the tests say it
from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sparkml_track.goal import Goal
from sparkml_track.plots import Plot, Plotted, PlotTrial
from sparkml_track.trial import State

__all__ = ["PlotCase", "figure", "sample_trials"]

_HOSTILE = "</script><script>alert(1)</script><!-- <b>&amp;"


def sample_trials(count: int, seed: int = 0) -> list[PlotTrial]:
    """Trials of a conditional space with all states; ``kind`` decides most of the value."""
    rng = random.Random(seed)
    return [_trial(number, rng) for number in range(count)]


def _trial(number: int, rng: random.Random) -> PlotTrial:
    kind = ("linear", "forest")[number % 2]
    params: dict[str, object] = {"kind": kind, "scale": rng.random() < 0.5, "lr": 10 ** rng.uniform(-4, 0)}
    params |= {"depth": rng.randint(2, 9)} if kind == "forest" else {"penalty": rng.choice(["l1", "l2", None])}
    state = (State.FINISHED, State.FINISHED, State.FINISHED, State.PRUNED, State.FAILED)[number % 5]
    value = (kind == "forest") + 0.1 * rng.random() if state is not State.FAILED else None
    return PlotTrial(number, state, params, value, 1.7e9 + number, rng.random())


def figure(plotted: Plotted) -> tuple[list[dict[str, object]], dict[str, object], dict[str, object]]:
    """The data, layout and configuration that the fragment's script draws."""
    found = re.fullmatch(r'<div id="(\S+)".*</div><script>Plotly.newPlot\("\1", \.\.\.(.*)\);</script>', plotted.html)
    assert found, plotted.html[:300]
    data, layout, config = json.loads(found.group(2), parse_constant=pytest.fail)
    return data, layout, config


_GOAL = Goal()


class PlotCase:
    """What every plot must do."""

    def plot(self) -> Plot:
        """The plot under test."""
        raise NotImplementedError

    def draw(self, trials: Sequence[PlotTrial], goal: Goal = _GOAL) -> Plotted:
        """Draws with the plot under test."""
        return self.plot().draw(trials, goal)

    @pytest.mark.parametrize("maximize", [False, True])
    def test_a_sweep_gives_a_title_a_caption_and_a_figure(self, maximize: bool) -> None:
        plotted = self.draw(sample_trials(40), Goal(maximize=maximize))
        data, _, config = figure(plotted)
        assert plotted.title
        assert plotted.caption.endswith(".")
        assert data
        assert config["showSendToCloud"] is False

    @pytest.mark.parametrize(
        "trials", [[], sample_trials(1), [t for t in sample_trials(40) if t.state is State.FAILED]]
    )
    def test_too_few_trials_give_a_figure_or_a_sentence(self, trials: list[PlotTrial]) -> None:
        plotted = self.draw(trials)
        if "Plotly.newPlot" in plotted.html:
            figure(plotted)
        else:
            assert re.fullmatch(r'<p class="none">[A-Z].*\.</p>', plotted.html)

    def test_values_that_are_no_numbers_are_left_out(self) -> None:
        trials = sample_trials(40)
        trials[0] = replace(trials[0], value=math.nan)
        trials[1] = replace(trials[1], value=math.inf, params={"lr": math.inf, "kind": math.nan})
        figure(self.draw(trials))

    def test_equal_trials_give_a_figure_or_a_sentence(self) -> None:
        one = sample_trials(1)[0]
        plotted = self.draw([replace(one, number=number) for number in range(10)])
        assert plotted.html

    def test_text_of_users_stays_text(self) -> None:
        trials = [
            replace(one, params={**one.params, _HOSTILE: _HOSTILE + str(one.number)}) for one in sample_trials(40)
        ]
        plotted = self.draw(trials, Goal(_HOSTILE))
        figure(plotted)
        tags = _Tags()
        tags.feed(f"<p>{plotted.title}</p>{plotted.html}")
        assert set(tags.seen) <= {"p", "div", "script"}
        assert tags.seen.count("script") == 1

    def test_ten_thousand_trials_are_drawn_in_seconds_and_stay_small(self) -> None:
        trials = sample_trials(10_000)
        start = time.process_time()
        plotted = self.draw(trials)
        assert time.process_time() - start < 10
        assert len(plotted.html) < 2_000_000
        figure(plotted)

    def test_the_same_trials_give_the_same_fragment(self) -> None:
        assert self.draw(sample_trials(40)) == self.draw(sample_trials(40))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.seen.append(tag)

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        self.seen.append("comment")
