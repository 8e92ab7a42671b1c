from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sparkml_track.dashboards.asked import ask, lake, or_else
from sparkml_track.dashboards.monitoring import alarms, chosen, columns, drifted, quality, scores
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.shipped import ACCOUNTS
from sparkml_track.errors import AccessDenied, InvalidInput, QueryError
from sparkml_track.governance.grants import Grant, Grants, keep
from sparkml_track.home import Home
from sparkml_track.monitoring import CalibrationBin, Drift, Fairness, Profile, Quality, Verdict
from sparkml_track.monitoring._history import Stamp, append

NAN = float("nan")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
CALM = Drift(
    column="seats", window="2013-11", against="baseline", before="baseline", slice_key=None, slice_value=None,
    rows=900, baseline_rows=1000, psi=0.02, psi_null=0.01, psi_limit=0.03, p_value=0.4, q_value=0.5, ks=0.1,
    ks_p_value=0.2, wasserstein=1.0, js=0.1, tv=0.1, l_infinity=0.1, chi_squared=1.0, chi_squared_p_value=0.5,
    null_change=0.0, distinct_change=0, mean_change=1.0, score_change=0.0, score_share=0.0, verdict="ok",
)  # fmt: skip
SEATS = Profile(
    "baseline", True, None, None, "seats", 1000, 0, 40, 150.0, 9.0, 1.0, 300.0, 20.0, 90.0, 150.0, 200.0, 280.0
)


def drifts(window: str, psi: float, *, evil: str = "") -> list[Drift]:
    moved = replace(CALM, column=evil or "temp", window=window, psi=psi, verdict="drift" if psi > 0.2 else "ok")
    sliced = replace(CALM, slice_key="carrier", slice_value="UA", window=window, psi=0.7, verdict="drift")
    return [replace(CALM, window=window), moved, replace(CALM, column="score", window=window), sliced]


def verdict(column: str, psi: float, **more: object) -> Verdict:
    state = "drift" if psi > 0.2 else "ok"
    made = Verdict(column, "2013-12", state, "2013-11" if psi > 0.2 else None, 2, psi, -3.5, 0.0, 0.01, 0.4)
    return replace(made, **more)


def found(run: int) -> dict[str, Sequence[object]]:
    window = f"2013-{10 + run}"
    return {
        "drift": [*drifts(window, 0.1 + run / 4), *(drifts("2013-11", 0.3) if run == 2 else ())],
        "profile": [SEATS, replace(SEATS, window=window, in_baseline=False, p50=160.0, nulls=9)],
        "verdict": [verdict("seats", 0.02), verdict("temp", 0.1 + run / 4), verdict("score", 0.3 if run > 1 else 0.1)],
        "quality": [
            Quality("2013-10", True, 500, scored=500, coverage=1.0, log_loss=0.3, auc=0.75),
            Quality(window, False, 400, scored=400, coverage=0.9, log_loss=0.3 + run / 10, auc=NAN),
            Quality(f"2013-{11 + run}", False, 100, how="estimated", scored=100, coverage=0.0, log_loss=0.5),
        ],
        "calibration": [CalibrationBin(window, False, low / 10, 50, low / 10 + 0.05, 0.4) for low in range(10)],
        "fairness": [Fairness(window, False, "carrier", 4, 0.2, "UA", NAN, None)],
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two runs of one monitor."""
    home = Home(tmp_path_factory.mktemp("home")).make()
    for run in (1, 2):
        append(
            lake(Page("monitoring", home)), "air_monitor", Stamp(f"run{run}", FIRST + timedelta(days=run)), found(run)
        )
    return home


@pytest.fixture
def page(home: Home) -> Page:
    return Page("monitoring", home)


@pytest.fixture
def empty_page(tmp_path: Path) -> Iterator[Page]:
    yield Page("monitoring", Home(tmp_path / "none"))
    assert not (tmp_path / "none").exists()  # nothing that looks writes


CHOICE = chosen.Choice("air_monitor", column="temp")


def test_monitors_are_found_by_their_tables(page: Page) -> None:
    assert chosen.monitors(page) == ["air_monitor"]
    assert chosen.slices(page, "air_monitor") == {"all rows": (None, None), "carrier = UA": ("carrier", "UA")}
    assert chosen.columns(page, "air_monitor") == ["temp", "score", "seats"]
    assert [row["alarms"] for row in chosen.runs(page, "air_monitor")] == [2, 1]
    assert list(chosen.moments(page, "air_monitor")) == [
        "the last run",
        "2026-01-03 00:00:00 UTC",
        "2026-01-02 00:00:00 UTC",
    ]


def test_a_cell_of_the_heat_map_is_what_the_last_run_said(page: Page) -> None:
    _, figure = drifted.heat(page, CHOICE)
    trace = figure.data[0]
    assert list(trace.x) == ["2013-11", "2013-12"]
    assert list(trace.y)[-1] == "temp"  # on top
    assert [list(line) for line in trace.text][-1] == ["0.30*", "0.60*"]


def test_long_columns_that_begin_alike_have_a_line_each(tmp_path: Path) -> None:
    page = Page("monitoring", Home(tmp_path))
    long = [f"mean_delay_of_the_carrier_over_the_last_{days}_days" for days in (7, 28)]
    append(lake(page), "long", Stamp("run", FIRST), {"drift": [replace(CALM, column=name) for name in long]})
    trace = drifted.heat(page, chosen.Choice("long"))[1].data[0]
    assert len(set(trace.y)) == 2
    assert [line[0].partition("<br>")[0] for line in trace.customdata] == long


def test_a_heat_map_is_of_one_slice_and_of_one_moment(page: Page) -> None:
    _, sliced = drifted.heat(page, replace(CHOICE, slice=("carrier", "UA")))
    assert list(sliced.data[0].y) == ["seats"]
    _, earlier = drifted.heat(page, replace(CHOICE, until=FIRST + timedelta(days=1)))
    assert list(earlier.data[0].x) == ["2013-11"]
    assert [list(line) for line in earlier.data[0].text][-1] == ["0.35*"]


def test_a_column_is_followed_by_window_and_by_run(page: Page) -> None:
    lines = {line.name: line for line in drifted.by_window(page, CHOICE).data}
    assert list(lines["temp"].y) == [0.3, 0.6]
    assert list(lines["alarm"].y) == [0.3, 0.6]
    assert list(lines["by chance, at most"].y) == [0.03, 0.03]
    runs = {line.name: line for line in drifted.by_run(page, CHOICE).data}
    assert list(runs["2013-11"].y) == [0.35, 0.3]
    assert list(runs["2013-12"].y) == [0.6]


def test_a_column_is_shown_beside_its_baseline(page: Page) -> None:
    seats = replace(CHOICE, column="seats")
    median = next(line for line in columns.spread(page, seats).data if line.name == "median")
    assert (list(median.x), list(median.y)) == (["baseline", "2013-11", "2013-12"], [150.0, 160.0, 160.0])
    assert "0.9%" in columns.profile(page, seats)
    assert "No run has looked at" in columns.profile(page, replace(CHOICE, column="gone"))


def test_alarms_say_since_when_and_what_to_do(page: Page) -> None:
    shown = alarms.alarms(page, CHOICE)
    assert shown.index(">temp<") < shown.index(">score<")
    assert ">seats<" not in shown
    assert "2013-11" in shown
    assert "sparkml-track retrain CONFIG" in shown
    assert "<b>2 of 3</b><span>columns have drifted" in alarms.overview(page, CHOICE)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"column": "score"}, "retrain, unless"),
        ({"null_change": 0.2}, "more nulls"),
        ({"null_change": -0.2}, "fewer nulls"),
        ({"score_share": 0.5}, "moves the score: retrain"),
        ({"score_share": -0.5}, "moves the score little"),
        ({"score_share": NAN}, "hardly changed"),
        ({"score_share": 250.0}, "hardly changed"),
    ],
)
def test_what_to_do_depends_on_what_moved(more: dict[str, object], said: str) -> None:
    row = {"column": "temp", "null_change": 0.0, "score_share": 0.0} | more
    assert said in alarms.to_do(row)


def test_the_home_page_names_what_drifted_the_score_first(page: Page) -> None:
    shown = alarms.alarms_section(page)
    assert "2 of 3 columns have drifted" in shown
    assert shown.index(">score<") < shown.index(">temp<")
    assert "/lake/monitoring/?monitor=air_monitor&amp;column=temp" in shown


def test_quality_is_measured_where_it_can_be_and_estimated_where_it_cannot(page: Page) -> None:
    assert list(quality.figures(page, CHOICE)) == ["log loss", "AUC", "share with a label"]
    lines = {line.name: (list(line.x), list(line.y)) for line in quality.quality(page, CHOICE, "log_loss").data}
    assert lines["measured"] == (["2013-11", "2013-12"], [0.4, 0.5])
    assert lines["estimated"] == (["2013-13"], [0.5])  # that of 2013-12 is out of date
    assert lines["in the baseline"] == (["2013-10"], [0.3])
    assert "estimated" in quality.measured(page, CHOICE)


def test_scores_are_spread_over_bins_that_came_true_or_not(page: Page) -> None:
    assert [line.name for line in scores.spread(page, CHOICE).data] == ["2013-11", "2013-12"]
    assert list(scores.calibrated(page, CHOICE).data[1].y) == pytest.approx([0.4] * 10)
    assert "UA" in quality.fairness(page, CHOICE)


def test_a_home_without_monitoring_says_what_fills_it(empty_page: Page) -> None:
    assert chosen.monitors(empty_page) == []
    assert "sparkml-track monitor" in alarms.alarms_section(empty_page)


def test_windows_of_too_few_rows_move_no_column_to_the_top(tmp_path: Path) -> None:
    page = Page("monitoring", Home(tmp_path / "home").make())
    thin = replace(CALM, column="seats", window="2013-12", psi=9.0, verdict="too few rows")
    moved = replace(CALM, column="temp", window="2013-11", psi=0.4, verdict="drift")
    append(lake(page), "thin", Stamp("run", FIRST), {"drift": [CALM, moved, thin], "profile": [SEATS]})
    judged, few = drifted.heat(page, chosen.Choice("thin"))[1].data
    assert list(judged.y) == ["seats", "temp"], "drawn from below"
    assert (9.0 in judged.z[0], 0 in few.z[0]) == (False, True)


def test_a_monitor_whose_tables_are_few_still_has_a_page(tmp_path: Path) -> None:
    page = Page("monitoring", Home(tmp_path))
    only = {"drift": [replace(CALM, psi=NAN, verdict="too few rows")], "profile": [SEATS]}
    append(lake(page), "thin", Stamp("run", FIRST), only)
    choice = chosen.Choice("thin", column="seats")
    assert "could not be judged" in alarms.alarms_section(page)
    assert "too few rows" in alarms.alarms(page, choice)
    assert drifted.heat(page, choice)[1].data[0].z[0][0] is None
    assert "No label" in quality.quality(page, choice, "")
    assert scores.spread(page, choice) is None
    assert quality.fairness(page, choice) == quality.measured(page, choice) == ""


def test_a_monitor_that_cannot_be_read_costs_its_own_line(tmp_path: Path) -> None:
    page = Page("monitoring", Home(tmp_path))
    for name in ("good", "bad"):
        append(lake(page), name, Stamp("run", FIRST), found(1))
    next((page.home.tables / "bad_verdict" / "_delta_log").glob("*.json")).write_text("rubbish")
    page = Page("monitoring", page.home)
    assert sorted(chosen.monitors(page)) == ["bad", "good"]
    shown = alarms.alarms_section(page)
    assert "1 of 3 columns have drifted" in shown and "sk-note bad" in shown


def test_names_of_columns_are_text(tmp_path: Path) -> None:
    page = Page("monitoring", Home(tmp_path))
    evil = "<img src=x onerror=alert(1)>"
    rows = {"drift": drifts("2013-11", 0.9, evil=evil), "profile": [SEATS], "verdict": [verdict(evil, 0.9)]}
    append(lake(page), "bad", Stamp("run", FIRST), rows)
    choice = chosen.Choice("bad", column=evil)
    figures = [drifted.heat(page, choice)[1], drifted.by_window(page, choice), drifted.by_run(page, choice)]
    for shown in (alarms.alarms(page, choice), alarms.alarms_section(page), *(f.to_json() for f in figures)):
        assert "<img" not in shown


def test_a_measure_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match="allowed are psi"):
        chosen.Choice("air_monitor", measure="psi FROM drift; --")


def test_an_answer_is_made_again_only_after_the_table_was_written(tmp_path: Path) -> None:
    page = Page("monitoring", Home(tmp_path))
    append(lake(page), "one", Stamp("run", FIRST), {"drift": [CALM]})
    count = "SELECT count(*) AS n FROM drift"
    before = ask(page, count, drift="one_drift")
    assert ask(page, count, drift="one_drift") is before
    append(lake(page), "one", Stamp("again", FIRST), {"drift": [CALM]})
    assert ask(page, count, drift="one_drift") == [{"n": 2}]


@pytest.mark.parametrize("what", ["drift", "verdict", "quality", "calibration", "fairness"])
def test_each_table_that_is_drawn_is_looked_at_for_changes(tmp_path: Path, what: str) -> None:
    page = Page("monitoring", Home(tmp_path))
    append(lake(page), "air", Stamp("run", FIRST), found(1))
    before = chosen.changed(page, "air")
    append(lake(page), "air", Stamp("again", FIRST), {what: found(2)[what]})
    assert chosen.changed(page, "air") != before


def test_a_viewer_who_was_granted_nothing_sees_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    append(lake(Page("monitoring", home)), "own", Stamp("run", FIRST), {"drift": [CALM], "profile": [SEATS]})
    keep(home, Grants((Grant("SELECT", "main.default.own_drift", "user:ann"),)))
    ann, bob = (Page("monitoring", home, viewer=name) for name in ("ann", "bob"))
    assert chosen.columns(ann, "own") == ["seats"]
    with pytest.raises(AccessDenied, match="bob may not read"):
        chosen.columns(bob, "own")
    assert or_else(lambda: chosen.columns(bob, "own"), []) == []


def test_a_page_that_does_not_know_its_viewer_asks_nothing(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCOUNTS, "1")
    with pytest.raises(AccessDenied, match="does not know which of them is looking"):
        chosen.columns(page, "air_monitor")


def test_what_is_kept_of_one_viewer_is_not_shown_to_another(home: Home, page: Page) -> None:
    count = "SELECT count(*) AS n FROM drift"
    assert ask(page, count, drift="air_monitor_drift")
    other = Page("monitoring", home, viewer="bob", kept=page.kept)
    keep(home, Grants((Grant("SELECT", "main.default.air_monitor_drift", "user:ann"),)))
    try:
        with pytest.raises(AccessDenied):
            ask(other, count, drift="air_monitor_drift")
    finally:
        home.grants.unlink()


def test_pages_ask_nothing_but_tables(page: Page) -> None:
    with pytest.raises((InvalidInput, QueryError)):
        ask(page, "SELECT * FROM read_csv('/etc/passwd')", drift="air_monitor_drift")


def test_nan_is_drawn_as_nothing(page: Page) -> None:
    assert not any(math.isnan(value) for line in quality.quality(page, CHOICE, "auc").data for value in line.y)
