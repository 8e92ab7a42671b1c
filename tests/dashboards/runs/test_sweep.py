"""The page of one sweep: how it stands, figures, the table of trials, one trial, what to try next."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.dashboards import Page
from sparkml_track.dashboards.blocks import Markup
from sparkml_track.dashboards.runs.reading import seen
from sparkml_track.dashboards.runs.seen import Seen
from sparkml_track.dashboards.runs.sweep import page as chosen
from sparkml_track.dashboards.runs.sweep.advice import advice, advice_section
from sparkml_track.dashboards.runs.sweep.drawn import drawn_rows, within
from sparkml_track.dashboards.runs.sweep.figures import VIEWS, chosen_trials, view, views_of
from sparkml_track.dashboards.runs.sweep.head import best_section, costs_section, head_section, space_section
from sparkml_track.dashboards.runs.sweep.trial import trial_parts
from sparkml_track.dashboards.runs.sweep.trials import frame, sliders, trial_rows
from sparkml_track.engine.records.types import Asked, JournalRecord, Parent, Reported
from sparkml_track.goal import Goal
from sparkml_track.home import Home
from sparkml_track.schema import TAG_KEY, TAG_SWEEP
from sparkml_track.trackers import found_models, found_run
from sparkml_track.trial import AttemptId, State
from tests.dashboards.runs.conftest import T, Write, accepted, add, asked, plan, running, submitted, trial, whole

LOSS = Goal("loss")


def text(parts: object) -> str:
    return "".join(map(str, parts)) if isinstance(parts, (list, tuple)) else str(parts)


@pytest.fixture
def large(page: Page, write: Write) -> Seen:
    """3,000 trials, some of them pruned or failed."""
    records: list[JournalRecord] = [plan(max_trials=3000), Parent("run", "1", T)]
    for number in range(3000):
        state = State.PRUNED if number % 7 == 3 else State.FAILED if number % 50 == 9 else State.FINISHED
        metrics = {"loss": math.sin(number) + 2} if state is not State.FAILED else {}
        records += [asked(number), submitted(number), accepted(number, state=state, metrics=metrics, reason="")]
    write(records)
    return seen(page, "sweep")


# -- how it stands


def test_the_head_says_state_best_and_where_else_it_is_seen(page: Page, write: Write) -> None:
    write(whole(failed=[2]))
    page.home.reports.mkdir(parents=True)
    page.home.report("sweep").write_text("")
    said = text(head_section(page, "sweep"))
    for part in (
        "finished",
        "0.1",
        "10 of 10",
        "#/experiments/3/runs/run1",
        "sweep.html",
        "?sweeps=sweep",
        "1 exception",
    ):
        assert part in said


def test_a_sweep_that_runs_says_how_fast_and_one_that_stopped_how_to_go_on(home: Home, page: Page) -> None:
    with running(home) as journal:
        add(journal, [plan(), *trial(0), asked(1), submitted(1)])
        assert "1 / 0" in text(head_section(page, "sweep"))
    assert "sparkml-track resume sweep" in text(head_section(page, "sweep"))


def test_what_is_not_there_or_cannot_be_read_is_a_sentence(page: Page, write: Write, home: Home) -> None:
    assert "sparkml-track run CONFIG" in text(head_section(page, "sweep"))
    write(whole())
    assert "There is no sweep &lt;other&gt; here" in text(head_section(page, "<other>"))
    (path,) = (home.journal / "sweep").glob("*.seg")
    data = path.read_bytes()
    path.write_bytes(data[:900] + b"x" + data[901:-100])
    assert "holds no good record" in text(head_section(page, "sweep"))
    assert chosen.options(page, "sweep") == chosen.Offers()


def test_the_best_its_costs_and_the_space_are_shown(page: Page, write: Write) -> None:
    write(whole())
    found = seen(page, "sweep")
    assert "?sweep=sweep&amp;trial=9" in best_section(found)
    assert "lower is better" in best_section(found)
    assert "slot time used" in costs_section(found)
    assert "loguniform(0.0001, 1)" in space_section(found)


# -- figures


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "Importances"])
def test_each_figure_is_drawn_of_many_of_few_and_of_no_trials(page: Page, write: Write, large: Seen, name: str) -> None:
    write([plan(), *trial(0), *trial(1)], "few")
    write([plan()], "none")
    for found in (large, seen(page, "few"), seen(page, "none")):
        figure, *said = view(found, name, LOSS)
        assert said or name in ("Outcomes", "Pareto front")
        assert figure is not None


def test_where_there_are_many_trials_those_that_matter_are_drawn_and_it_says_so(large: Seen) -> None:
    rows = set(drawn_rows(large, LOSS, 200).tolist())
    assert 200 <= len(rows) < 260
    assert {large.best(LOSS), int(large.ranked(LOSS)[-1])} <= rows
    assert set(large.improved(LOSS).tolist()) <= rows
    assert set(large.ranked(LOSS)[:20].tolist()) <= rows
    _, said = view(large, "Slices", LOSS)
    assert "Drawn are 1,0" in str(said)
    assert f"of {len(large.finished(LOSS)):,} finished trials" in str(said)


def test_the_line_of_the_best_is_exact_however_few_are_drawn(large: Seen) -> None:
    figure = view(large, "History", LOSS)[0]
    (line,) = [trace for trace in figure.data if trace.name == "best so far"]  # type: ignore[attr-defined]
    assert list(line.x[:-1]) == [int(large.numbers[row]) for row in large.improved(LOSS)]


@pytest.mark.parametrize("name", ["History", "Slices", "Contour"])
def test_dots_in_a_box_are_trials(page: Page, write: Write, name: str) -> None:
    write(whole(30))
    found = seen(page, "sweep")
    figure = view(found, name, LOSS)[0]
    trace = figure.data[0]  # type: ignore[attr-defined]
    points = [{"curveNumber": 0, "pointIndex": place} for place in (1, 3)] + [{"curveNumber": 99, "pointIndex": 0}, {}]
    assert chosen_trials(figure, points) == sorted(int(trace.customdata[place]) for place in (1, 3))


def test_values_in_a_box_on_an_axis_are_trials(page: Page, write: Write) -> None:
    import marimo as mo

    write(whole(20, failed=[3]))
    figure: Any = view(seen(page, "sweep"), "Parallel coordinates", LOSS)[0]
    names = list(figure.layout.xaxis.ticktext)
    box = {"x": [names.index("x") - 0.2, names.index("x") + 0.2], "y": [-0.01, 0.27]}
    shown = mo.ui.plotly(figure)
    points = shown._convert_value({"points": [], "range": box, "indices": []})
    # x goes from -0.5 to 1.4 in steps of 0.1; trial 3 has no value.
    assert chosen_trials(figure, points) == [0, 1, 2, 4, 5]
    assert all(len(line.customdata) == len(line.y) for line in figure.data if line.customdata is not None)
    corners = {each: y for line in figure.data for each, y in zip(line.customdata or (), line.y, strict=False)}
    assert set(corners) == set(range(20)) - {3}


def test_two_objectives_have_a_front(page: Page, write: Write) -> None:
    both = plan(metric=["loss", "auc"], direction=["minimize", "maximize"])
    values = [(1.0, 0.5), (2.0, 0.9), (3.0, 0.7), (0.5, 0.1), (0.5, 0.1)]
    records: list[JournalRecord] = [both]
    for number, (loss, auc) in enumerate(values):
        records += [asked(number), submitted(number), accepted(number, metrics={"loss": loss, "auc": auc})]
    write(records)
    found = seen(page, "sweep")
    assert "Pareto front" in views_of(found)
    figure = view(found, "Pareto front", LOSS)[0]
    front = figure.data[1]  # type: ignore[attr-defined]
    assert (list(front.x), list(front.y)) == ([0.5, 1.0, 2.0], [0.1, 0.5, 0.9])


def test_busy_slots_add_up_to_the_time_that_trials_took(large: Seen) -> None:
    figure = view(large, "Slots", LOSS)[0]
    (line,) = figure.data  # type: ignore[attr-defined]
    width = line.x[1] - line.x[0]
    assert sum(line.y) * width == pytest.approx(3000 * 2.0)


def test_curves_of_trials_that_run_are_drawn(home: Home, page: Page) -> None:
    with running(home) as journal:
        reports = [Reported(AttemptId(0, 0, 1), step, {"loss": 1 / (step + 1)}, T) for step in range(3)]
        add(journal, [plan(), asked(0), submitted(0), *reports])
        figure = view(seen(page, "sweep"), "Learning curves", LOSS)[0]
        assert [trace.name for trace in figure.data] == ["running"]  # type: ignore[attr-defined]


# -- the table


def test_the_table_has_the_best_first_and_what_was_chosen_alone(page: Page, write: Write) -> None:
    write(whole(failed=[2]))
    found = seen(page, "sweep")
    table = frame(found, trial_rows(found, LOSS, {}, ()))
    assert table["trial"].tolist() == [9, 8, 7, 6, 5, 4, 3, 1, 0, 2]
    assert {"loss", "x", "lr", "m", "m.k", "seconds", "host", "reason"} <= set(table.columns)
    assert trial_rows(found, LOSS, {}, ["failed"]).tolist() == [2]
    assert trial_rows(found, LOSS, {"x": (-0.5, -0.4)}, ()).tolist() == [1, 0]
    assert trial_rows(found, LOSS, {"loss": (0.0, 0.15)}, (), [3, 9]).tolist() == [9]


def test_sliders_are_numbers_that_vary_and_go_by_their_size(page: Page, write: Write) -> None:
    write(whole())
    found = seen(page, "sweep")
    ends = sliders(found, LOSS)
    assert list(ends) == ["loss", "x", "lr", "m.k"]
    offers = chosen.Offers(sliders={"a": (1.0, 10000.0), "b": (-1.0, 1.0)})
    assert chosen.ranges_of(offers, {"a": (0, 100), "b": (0, 100)}) == {}
    ranges = chosen.ranges_of(offers, {"a": (50, 100), "b": (25, 75)})
    assert ranges["a"] == (pytest.approx(100.0), 10000.0)
    assert ranges["b"] == (-0.5, 0.5)
    assert "100 to 10000" in chosen.said_ranges(offers, {"a": (50, 100)})


def test_a_metric_that_is_named_as_a_parameter_has_a_column_too(page: Page, write: Write) -> None:
    write([plan(), Asked(0, {"loss": 3.5}, 1), submitted(0), accepted(0)])
    table = frame(seen(page, "sweep"), [0])
    assert table[["loss", "params.loss"]].to_numpy().tolist() == [[1.0, 3.5]]
    assert len(within(seen(page, "sweep"), {"loss": (3.0, 4.0)})) == 1


def test_no_name_of_a_metric_or_parameter_takes_a_column_of_the_table(page: Page, write: Write) -> None:
    params = {"host": "db1", "attempts": 4, "seconds": 9, "trial": 77, "metrics.state": 0.5}
    metrics = {"loss": 1.0, "trial": 5.0, "state": 6.0, "reason": 7.0}
    write([plan(), Asked(3, params, 1), submitted(3), accepted(3, metrics=metrics)])
    (row,) = frame(seen(page, "sweep"), [0]).to_dict("records")
    assert (row["trial"], row["state"], row["attempts"], row["host"], row["seconds"]) == (3, "finished", 1, "one", 2.0)
    assert row["reason"] == ""
    assert [row[f"metrics.{name}"] for name in ("trial", "state", "reason")] == [5.0, 6.0, 7.0]
    assert [row[f"params.{name}"] for name in ("host", "attempts", "seconds", "trial")] == ["db1", 4, 9, 77]
    assert row["params.metrics.state"] == 0.5


def test_no_cell_of_the_table_asks_another_machine(page: Page, write: Write) -> None:
    params = {"a": "http://pic.invalid/a.png", "b": ["HTTPS://pic.invalid"], "c": "data:image/png;base64,AA"}
    bad = accepted(0, state=State.FAILED, host="http://pic.invalid/h.png")
    write([plan(), Asked(0, params, 1), submitted(0), replace(bad, reason="see https://pic.invalid")])
    (row,) = frame(seen(page, "sweep"), [0]).to_dict("records")
    assert not [name for name, value in row.items() if re.search(r"(?i)https?://|^data:", str(value))]
    assert "pic.invalid/a.png" in row["a"]


# -- one trial


def store(path: Path) -> None:
    """What is needed of MLflow's schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    artifacts = path.parent / "art"
    artifacts.mkdir()
    (artifacts / "log.txt").write_text("it said <hello>")
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs (run_uuid, experiment_id, artifact_uri, lifecycle_stage)")
        db.execute("CREATE TABLE tags (key, value, run_uuid)")
        db.execute("CREATE TABLE params (key, value, run_uuid)")
        db.execute("CREATE TABLE model_versions (name, version, run_id)")
        db.execute("INSERT INTO runs VALUES ('r1', 7, ?, 'active')", (str(artifacts),))
        tags = [(TAG_KEY, "sweep/1", "r1"), (TAG_SWEEP, "sweep", "r1"), (TAG_SWEEP, "sweep", "r2")]
        db.executemany("INSERT INTO tags VALUES (?, ?, ?)", tags)
        db.executemany(
            "INSERT INTO params VALUES (?, ?, 'r2')", [("x", "-0.4"), ("lr", "0.02"), ("m", "a"), ("n", "1")]
        )
        db.executemany("INSERT INTO model_versions VALUES (?, ?, ?)", [("fit", 2, "r2"), ("other", 1, "r9")])
        db.commit()


def test_a_trial_has_params_metrics_its_run_its_model_and_its_log(page: Page, write: Write) -> None:
    store(page.home.database)
    write(whole())
    said = text(trial_parts(page, seen(page, "sweep"), 1, ()))
    for part in ("-0.4", "0.5", "#/experiments/7/runs/r1", "model=fit", "fit 2", "it said &lt;hello&gt;"):
        assert part in said
    assert "sparkml-track reproduce sweep --trial 1" in said


def test_a_log_that_leads_out_of_its_run_is_not_shown(page: Page, write: Write) -> None:
    store(page.home.database)
    secret = page.home.root / "secret"
    secret.write_text("hidden")
    log = page.home.root / "art" / "log.txt"
    log.unlink()
    log.symlink_to(secret)
    write(whole())
    assert "hidden" not in text(trial_parts(page, seen(page, "sweep"), 1, ()))


def test_a_trial_that_is_not_published_has_its_log_in_the_journal(page: Page, write: Write) -> None:
    bad = replace(accepted(0, state=State.FAILED), log="line one", message="ValueError: <x>")
    write([plan(), asked(0), submitted(0), bad, asked(1)])
    said = text(trial_parts(page, seen(page, "sweep"), 0, ()))
    assert "line one" in said
    assert "ValueError: &lt;x&gt;" in said
    assert "exception" in said
    assert "running" in text(trial_parts(page, seen(page, "sweep"), 1, ()))
    assert "There is no trial 5" in text(trial_parts(page, seen(page, "sweep"), 5, ()))


def test_a_store_that_is_not_there_or_broken_is_no_run_or_a_sentence(tmp_path: Path) -> None:
    assert found_run(tmp_path / "none.db", "sweep", 1) is None
    assert found_models(tmp_path / "none.db", "sweep") == []
    (tmp_path / "bad.db").write_text("this is not a database, and long enough to be seen")
    with pytest.raises(Exception, match=r"The runs in .*bad.db cannot be read"):
        found_run(tmp_path / "bad.db", "sweep", 1)


# -- what to try next


def sweep_of(page: Page, write: Write, records: list[JournalRecord], **changed: object) -> Seen:
    write([plan(max_trials=60, **changed), *records])
    return seen(page, "sweep")


def test_advice_needs_trials(page: Page, write: Write) -> None:
    found = sweep_of(page, write, trial(0))
    assert advice(found, LOSS) == []
    assert "20 are needed" in advice_section(found, LOSS)


def test_a_best_value_at_the_edge_and_a_parameter_that_does_nothing_are_said(page: Page, write: Write) -> None:
    records: list[JournalRecord] = []
    for number in range(60):
        x = 2 * (1 - number / 59) ** 2 - 1
        idle = (number * 7919 % 100) / 100
        records += [Asked(number, {"x": x, "lr": 10 ** (-4 * idle)}, 1), submitted(number), accepted(number, x + 2)]
    said = text(advice(sweep_of(page, write, records), LOSS))
    assert "The best value of x is" in said
    assert "widen the range beyond -1" in said
    assert "lr explained less than 1 %" in said


def test_failures_in_one_part_of_the_space_are_said(page: Page, write: Write) -> None:
    records: list[JournalRecord] = []
    for number in range(60):
        state = State.FAILED if number % 6 == 0 else State.FINISHED
        params = {"x": number / 60, "m": "deep" if number % 6 == 0 else "flat"}
        records += [Asked(number, params, 1), submitted(number), accepted(number, state=state)]
    said = text(advice(sweep_of(page, write, records), LOSS))
    assert "10 of 10 failures lie where m is deep, where 100% of trials fail" in said


def test_a_pruner_that_ends_none_is_said(page: Page, write: Write) -> None:
    records = [part for number in range(30) for part in trial(number)]
    assert "The pruner median ended none of 30 trials" in text(
        advice(sweep_of(page, write, records, pruner="median"), LOSS)
    )


def test_a_sweep_that_still_got_better_is_to_be_extended(page: Page, write: Write) -> None:
    write(whole(40))
    said = text(advice(seen(page, "sweep"), LOSS))
    assert "sparkml-track extend sweep --max-trials 60" in said


# -- the page


def test_the_page_offers_the_sweep_of_its_address_first(home: Home, write: Write) -> None:
    write(whole(), "one")
    write(whole(), "two")
    assert chosen.choices(Page("sweep", home, {"sweep": "one"})).sweep == "one"
    assert chosen.choices(Page("sweep", home, {"sweep": "gone"})).sweeps[0] == "gone"
    assert chosen.choices(Page("sweep", home)).sweep in ("one", "two")
    offers = chosen.options(Page("sweep", home, {"view": "Slices"}), "one")
    assert (offers.view, offers.goal) == ("Slices", "loss")
    assert chosen.options(Page("sweep", home, {"view": "<x>"}), "one").view == "History"


def test_figures_are_kept_until_the_sweep_goes_on(home: Home, page: Page, write: Write) -> None:
    write([plan(), *trial(0), *trial(1)])
    choice = chosen.Choice("sweep", "loss", "History")
    assert chosen.drawn_view(page, choice) is chosen.drawn_view(page, choice)
    before = chosen.drawn_anew(page, "sweep", None)
    assert chosen.drawn_anew(page, "sweep", before) is before
    write(trial(2))
    assert len(chosen.chosen_frame(page, choice, (), ())) == 3
    assert before is not None
    assert chosen.drawn_anew(page, "sweep", before) is before
    assert chosen.drawn_anew(page, "sweep", (before[0], before[1] - 60)) != before


def test_what_is_written_during_a_look_is_shown_by_the_next(
    home: Home, page: Page, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write([plan(), *trial(0), *(each for number in (1, 2, 3) for each in (asked(number), submitted(number)))])
    choice = chosen.Choice("sweep", "loss", "History")
    asks = Page("sweep", home, {"sweep": "sweep", "trial": "3"}, kept=page.kept)
    monkeypatch.setattr(chosen, "_advised", lambda found, _: Markup(found.over))

    def both(number: int, look: Callable[[], object]) -> tuple[object, object]:
        """Two looks; the trial ends while the first one reads."""

        def overtaken(*args: Page | str) -> Seen:
            found = seen(*args)  # type: ignore[arg-type]
            write([replace(accepted(number), log="it said this")])
            return found

        with monkeypatch.context() as patch:
            patch.setattr(chosen, "seen", overtaken)
            first = look()
        return first, look()

    before, after = both(1, lambda: chosen.drawn_view(page, choice))
    assert before is not after
    assert both(2, lambda: chosen.more_sections(page, choice)[1]) == ("2", "3")
    before, after = both(3, lambda: text(chosen.one_trial(asks, "sweep", None)))
    assert "it said this" not in str(before)
    assert "it said this" in str(after)


def test_a_picked_trial_stays_picked_when_the_table_is_made_again(page: Page, write: Write) -> None:
    import marimo as mo

    write(whole())
    choice, kept = chosen.Choice("sweep", "loss", "History"), dict[str, int]()
    before = chosen.chosen_frame(page, choice, (), ())
    assert chosen.picked_again(kept, "sweep", before) == []
    chosen.keep_picked(kept, "sweep", before[before["trial"] == 4])
    write([asked(11), submitted(11), accepted(11)])
    after = chosen.chosen_frame(page, choice, (), ())
    table = mo.ui.table(after, selection="single", initial_selection=chosen.picked_again(kept, "sweep", after))
    assert "Trial 4" in text(chosen.one_trial(page, "sweep", table.value))
    assert chosen.picked_again(kept, "other", after) == []
    assert chosen.picked_again(kept, "sweep", after[after["trial"] > 4]) == []
    chosen.keep_picked(kept, "sweep", after.head(0))
    assert chosen.picked_again(kept, "sweep", after) == []


def test_the_trial_of_the_address_is_shown_until_one_is_picked(home: Home, write: Write) -> None:
    write(whole())
    page = Page("sweep", home, {"sweep": "sweep", "trial": "3"})
    assert "Trial 3" in text(chosen.one_trial(page, "sweep", None))
    table = chosen.chosen_frame(page, chosen.Choice("sweep", "loss", "History"), (), ())
    assert "Trial 9" in text(chosen.one_trial(page, "sweep", table.head(1)))
    assert chosen.one_trial(Page("sweep", home), "sweep", None) == ()
    assert chosen.one_trial(Page("sweep", home, {"sweep": "sweep", "trial": "-1"}), "sweep", None) == ()
