from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from sparkml_track.goal import Goal
from sparkml_track.plots import (
    History,
    Importances,
    Pair,
    ParallelCoordinates,
    Plot,
    PlotTrials,
    Slices,
    Timeline,
    _importances,
    library,
    standard,
)
from sparkml_track.plots._figure import sampled
from sparkml_track.plots._importances import importances
from sparkml_track.testing.plots import PlotCase, figure, sample_trials
from sparkml_track.trial import State


class TestHistory(PlotCase):
    def plot(self) -> Plot:
        return History()


class TestImportances(PlotCase):
    def plot(self) -> Plot:
        return Importances()


class TestParallelCoordinates(PlotCase):
    def plot(self) -> Plot:
        return ParallelCoordinates()


class TestSlices(PlotCase):
    def plot(self) -> Plot:
        return Slices()


class TestPair(PlotCase):
    def plot(self) -> Plot:
        return Pair()


class TestTimeline(PlotCase):
    def plot(self) -> Plot:
        return Timeline()


def test_slices_show_what_explains_most_first_on_axes_that_fit() -> None:
    trials = [one for one in sample_trials(200) if one.state is State.FINISHED]
    data, page, _ = figure(Slices().draw(trials, Goal()))
    axes = [page[f"xaxis{place or ''}"] for place in (0, 2, 3, 4, 5)]
    titles = [axis["title"]["text"] for axis in axes]  # type: ignore[index]
    assert titles[0] == "kind"
    assert set(titles) == {"kind", "scale", "lr", "depth", "penalty"}
    kinds = {title: axis.get("type") for title, axis in zip(titles, axes, strict=True)}  # type: ignore[attr-defined]
    assert (kinds["kind"], kinds["lr"], kinds["depth"]) == ("category", "log", None)
    depth = data[titles.index("depth")]
    with_depth = [one for one in trials if "depth" in one.params]
    assert (depth["x"], depth["y"]) == ([one.params["depth"] for one in with_depth], [one.value for one in with_depth])


@pytest.mark.parametrize("maximize", [False, True])
def test_the_pair_is_of_the_two_that_matter_most_and_brighter_is_better(maximize: bool) -> None:
    trials = PlotTrials(one for one in sample_trials(200) if one.state is State.FINISHED)
    data, page, _ = figure(Pair().draw(trials, Goal(maximize=maximize)))
    first, second, *_ = trials.found["importances"]  # type: ignore[misc]
    assert (page["xaxis"]["title"]["text"], page["yaxis"]["title"]["text"]) == (first, second)  # type: ignore[index]
    marker: Any = data[0]["marker"]
    assert marker["reversescale"] is not maximize
    assert len(marker["color"]) == sum(first in one.params and second in one.params for one in trials)


def test_what_one_plot_found_out_is_not_found_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = PlotTrials(sample_trials(60))
    first = [plot.draw(trials, Goal()) for plot in standard()]
    monkeypatch.setattr(_importances, "importances", lambda _: pytest.fail("again"))
    assert [plot.draw(trials, Goal()) for plot in standard()] == first


def test_the_timeline_has_as_many_rows_as_trials_ran_at_one_time() -> None:
    times = [(0.0, 4.0), (1.0, 1.0), (2.0, 1.0), (2.5, 9.0), (5.0, 1.0)]
    trials = [
        replace(one, number=n, state=State.FINISHED, started=100.0 + start, duration=long)
        for n, (one, (start, long)) in enumerate(zip(sample_trials(5), times, strict=True))
    ]
    plotted = Timeline().draw(trials, Goal())
    (bars,), _, _ = figure(plotted)
    assert "3 ran at one time at most" in plotted.caption
    assert bars["y"] == [0, 0, None, 1, 1, None, 1, 1, None, 2, 2, None, 0, 0, None]
    assert bars["x"] == [0.0, 4.0, None, 1.0, 2.0, None, 2.0, 3.0, None, 2.5, 11.5, None, 5.0, 6.0, None]


def test_trials_that_never_began_are_not_on_the_timeline() -> None:
    never = [replace(one, started=0.0) for one in sample_trials(5)]
    assert "No trial began." in Timeline().draw(never, Goal()).html


def test_the_history_has_every_finished_trial_and_the_best_so_far() -> None:
    values = [3.0, 5.0, 2.0, 2.0, 1.0]
    trials = [replace(one, number=n, state=State.FINISHED, value=values[n]) for n, one in enumerate(sample_trials(5))]
    for maximize, steps in ((False, [3.0, 2.0, 1.0, 1.0]), (True, [3.0, 5.0, 5.0])):
        data, _, _ = figure(History().draw(trials, Goal(maximize=maximize)))
        dots, line = data
        assert (dots["x"], dots["y"]) == ([0, 1, 2, 3, 4], values)
        assert line["y"] == steps


def test_importances_find_what_decides_the_value_through_conditions() -> None:
    finished = [one for one in sample_trials(200) if one.state is State.FINISHED]
    found = importances(finished)
    assert next(iter(found)) == "kind"
    assert set(found) == {"kind", "scale", "lr", "depth", "penalty"}
    assert sum(found.values()) == pytest.approx(1)
    only_depth = [replace(one, value=float(one.params.get("depth", 0))) for one in finished if "depth" in one.params]
    assert next(iter(importances(only_depth))) == "depth"


def test_importances_agree_with_fanova() -> None:
    optuna = pytest.importorskip("optuna")
    finished = [one for one in sample_trials(150, seed=3) if one.state is State.FINISHED]
    study = optuna.create_study()
    space = {
        "kind": optuna.distributions.CategoricalDistribution(["linear", "forest"]),
        "lr": optuna.distributions.FloatDistribution(1e-4, 1, log=True),
    }
    for one in finished:
        params = {name: one.params[name] for name in space}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=one.value))
    oracle = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(n_trees=16, seed=0)
    )
    assert max(oracle, key=lambda name: oracle[name]) == next(iter(importances(finished)))


def test_parallel_coordinates_put_missing_parameters_below_the_axis() -> None:
    trials = [one for one in sample_trials(40) if one.state is State.FINISHED]
    data, _, _ = figure(ParallelCoordinates().draw(trials, Goal()))
    axes = {axis["label"]: axis for axis in data[0]["dimensions"]}
    depth = axes["depth"]
    assert depth["ticktext"][0] == "not set"
    for one, place in zip(trials, depth["values"], strict=True):
        assert place == one.params.get("depth", depth["tickvals"][0])
    assert depth["tickvals"][0] < min(one.params["depth"] for one in trials if "depth" in one.params)
    assert set(axes) == {"kind", "scale", "lr", "depth", "penalty", "loss"}
    assert axes["loss"]["values"] == [one.value for one in trials]


def test_sampling_keeps_the_best_and_the_order() -> None:
    trials = [replace(one, value=float(-one.number)) for one in sample_trials(1000)]
    few = sampled(trials, 100, Goal())
    assert len(few) == 100
    assert [one.number for one in few] == sorted(one.number for one in few)
    assert {one.number for one in few} >= set(range(990, 1000))
    assert {one.number for one in sampled(trials, 100, Goal(maximize=True))} >= set(range(10))


def test_nothing_is_said_on_the_terminal_and_no_library_is_imported_early() -> None:
    code = (
        "import sys; import sparkml_track.plots as p; from sparkml_track.goal import Goal;"
        "from sparkml_track.testing.plots import sample_trials;"
        "assert not {'optuna', 'plotly', 'numpy'} & set(sys.modules);"
        "[plot.draw(sample_trials(40), Goal()) for plot in p.standard()]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_library_is_plotly_js() -> None:
    assert "plotly.js v" in library().read_text(encoding="utf-8")[:200]
    assert len({type(plot) for plot in standard()}) == 6
