"""``result.plot``: what the report shows, as figures."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.summary import Result, summarise
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.errors import InvalidInput
from sparkml_track.goal import goals_of
from sparkml_track.trial import Report, State


def trial(number: int, state: State = State.FINISHED) -> Result:
    params = {"x": number / 10, "depth": number % 3}
    metrics = {"loss": (number - 7) ** 2 / 10, "seconds": 20.0 - number}
    value = tuple(metrics.values()) if state is State.FINISHED else None
    return Result(number, params, state, metrics, value, started=1e9 + number, duration=0.5)


def result(names: tuple[str, ...] = ("loss",), count: int = 20) -> SweepResult:
    trials = [trial(n, State.PRUNED if n % 5 == 4 else State.FINISHED) for n in range(count)]
    trials = [replace(one, value=one.value[: len(names)]) if one.value else one for one in trials]
    goals = goals_of(names, ("minimize",) * len(names))
    curves = Curves(goals[0])
    for one in trials:
        curves.add(one, [Report({"loss": 1 / (step + 1)}, step, 1e9) for step in range(3)])
    return SweepResult("s", "r", "0", summarise(trials, count, 0, goals), trials, Path("r.html"), curves=curves)


@pytest.mark.parametrize("name", ["history", "importances", "parallel", "slice", "contour", "timeline", "curves"])
def test_each_plot_is_a_figure_that_draws_the_trials(name: str) -> None:
    figure = getattr(result().plot, name)()
    assert len(figure.data) >= 1
    assert figure.layout.title.text
    assert "undefined" not in figure.to_json()


def test_the_history_has_each_value_at_its_trial() -> None:
    figure = result().plot.history()
    dots = next(each for each in figure.data if each.name == "finished")
    assert dict(zip(dots.x, dots.y, strict=True)) == {n: (n - 7) ** 2 / 10 for n in range(20) if n % 5 != 4}


def test_one_of_several_objectives_is_chosen_by_name() -> None:
    plots = result(("loss", "seconds")).plot
    assert plots.history("seconds").layout.yaxis.title.text == "seconds"
    assert plots.history().layout.yaxis.title.text == "loss"
    assert [each.name for each in plots.pareto().data] == ["beaten by another trial", "Pareto front"]
    assert plots.pareto("seconds").layout.title.text == "Pareto front: seconds and loss"
    assert plots.pareto("loss", "seconds").layout.title.text == "Pareto front: loss and seconds"
    with pytest.raises(InvalidInput, match="both are 'loss'; name two of loss, seconds"):
        plots.pareto("loss", "loss")
    with pytest.raises(InvalidInput, match="no objective 'auc'; it has loss, seconds"):
        plots.history("auc")
    with pytest.raises(InvalidInput, match="has one objective, loss"):
        result().plot.pareto()


def test_where_there_is_too_little_the_figure_says_so() -> None:
    nothing = replace(result(count=0), curves=None).plot
    assert nothing.history().layout.annotations[0].text == "No trial finished with a value for loss."
    assert nothing.curves().layout.annotations[0].text == "No trial reported loss."


def test_a_result_goes_to_another_process_with_its_plots() -> None:
    again = pickle.loads(pickle.dumps(result()))
    assert again.plot.curves() == result().plot.curves()
