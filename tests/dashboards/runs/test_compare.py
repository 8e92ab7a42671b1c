"""Sweeps and trials side by side."""

from __future__ import annotations

import pytest

from sparkml_track.dashboards import Page
from sparkml_track.dashboards.runs.compare import (
    asked_sweeps,
    compare,
    compare_figures,
    compare_tables,
    metrics_of,
    of_seen,
)
from sparkml_track.dashboards.runs.reading import seen
from sparkml_track.dashboards.runs.sweep.drawn import plot_trials
from sparkml_track.engine.records.types import JournalRecord, Parent
from sparkml_track.goal import Goal
from sparkml_track.home import Home
from sparkml_track.plots import compared
from sparkml_track.trial import State
from tests.dashboards.runs.conftest import T, Write, accepted, asked, plan, submitted, trial, whole

LOSS = Goal("loss")


def drawn(parts: object) -> str:
    return "".join(map(drawn, parts)) if isinstance(parts, (list, tuple)) else str(parts)


def test_columns_give_the_plots_what_trials_give_them(page: Page, write: Write) -> None:
    records: list[JournalRecord] = [plan(), Parent("run", "1", T)]
    for number in range(40):
        state = State.FAILED if number % 9 == 4 else State.PRUNED if number % 9 == 5 else State.FINISHED
        value = float("nan") if number == 7 else (number * 37 % 41) / 10
        late = {"started": T + number % 5, "duration": 1.0 + number}
        records += [asked(number), submitted(number), accepted(number, value, state, **late)]
    write([*records, asked(40)])
    found = seen(page, "sweep")
    import numpy as np

    by_trials = compared("sweep", LOSS, plot_trials(found, LOSS, np.arange(41)))
    by_columns = of_seen(found, LOSS)
    assert by_columns.best == by_trials.best
    assert sorted(by_columns.values) == sorted(by_trials.values)
    assert [step[0] for step in by_columns.stairs] == [step[0] for step in by_trials.stairs]
    flat = [number for step in by_columns.stairs for number in step]
    assert flat == pytest.approx([number for step in by_trials.stairs for number in step])


def test_two_sweeps_have_curves_and_what_differs_is_marked(page: Page, write: Write) -> None:
    write(whole(), "one")
    write([plan(sampler="tpe"), *trial(0), *trial(1)], "two")
    made = compare(page, ["one", "two"], "one:3")
    figures = compare_figures(made, "loss")
    assert len(figures) == 3
    said = drawn(compare_tables(page, made, "loss"))
    for part in ("trial 9", "trial 1<", "trial 3", "chosen, one", "slot time used"):
        assert part in said
    assert '<mark class="sk-differs">tpe</mark>' in said
    assert said.index("<td>lr</td>") > 0


def test_the_address_says_what_is_compared_else_the_last_two(home: Home, write: Write) -> None:
    for name in ("a", "b", "c"):
        write(whole(), name)
    known, asked = asked_sweeps(Page("compare", home, {"sweeps": "c,a,gone,c"}))
    assert (sorted(known), asked) == (["a", "b", "c"], ["c", "a"])
    known, asked = asked_sweeps(Page("compare", home))
    assert asked == known[:2]


def test_an_empty_home_and_a_sweep_that_cannot_be_read_are_sentences(page: Page, write: Write, home: Home) -> None:
    nothing = compare(page, [])
    assert "sparkml-track run CONFIG" in drawn(compare_tables(page, nothing, None))
    assert "No sweep is chosen" in drawn(compare_figures(nothing, None))
    write(whole(), "one")
    write([], "none")
    made = compare(page, ["one", "gone", "none"], "one:99, gone:1, <b>")
    said = drawn(compare_figures(made, "loss"))
    assert "there is no journal of sweep &#39;gone&#39;" in said
    assert "There is no trial &#39;99&#39; in one" in said
    assert "&lt;b&gt;" in said
    assert len(made.sweeps) == 2
    assert "trial 9" in drawn(compare_tables(page, made, "loss"))


def test_a_sweep_with_another_objective_or_direction_is_named(page: Page, write: Write) -> None:
    write(whole(), "one")
    write([plan(direction=["maximize"]), *trial(0)], "two")
    write([plan(metric=["auc"]), asked(0), submitted(0), accepted(0, metrics={"auc": 0.5})], "three")
    made = compare(page, ["one", "two", "three"])
    assert metrics_of(made.sweeps) == ["loss", "auc"]
    said = drawn(compare_figures(made, "loss"))
    assert "three: loss is not an objective there" in said
    assert "others maximize it" in said
    assert "trial 0" in drawn(compare_tables(page, made, "loss"))
