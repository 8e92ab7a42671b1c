"""What the page of SQL shows: answers, charts, tables, saved queries."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.catalog.queries.ask import Result
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.queries.answer import as_csv, cells, named, said
from sparkml_track.dashboards.queries.asker import Asked, Outcome
from sparkml_track.dashboards.queries.drawn import Choice, first_choice, numbers_of, picture
from sparkml_track.dashboards.queries.opened import fields, opened
from sparkml_track.dashboards.queries.saved import saved_section
from sparkml_track.dashboards.queries.tables import prepared, tables_section, versions_section
from sparkml_track.dashboards.shipped import LAKE
from sparkml_track.home import Home
from sparkml_track.refs import TableRef
from sparkml_track.tables import DeltaTables


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(LAKE, str(tmp_path / "project"))
    return Page("sql", Home.find())


def with_query(page: Page, **query: str) -> Page:
    return Page("sql", page.home, query)


# ------------------------------------------------------------------------------------------------------- answers


def test_an_answer_says_what_was_cut_and_read(page: Page) -> None:
    ref = TableRef("air.flights", "/x", 3)
    result = Result(pa.table({"v": [1]}), True, (ref,), None, False, 0.5, "q")
    shown = said(page, Outcome(1, Asked("SELECT", {}, limit=1), result))
    assert "1 row in 0.50 s. There are more than the limit of 1 lets through" in shown
    assert "/lake/lineage/?table=main.air.flights&amp;version=3" in shown
    assert "press Run" in said(page, None)


def test_a_problem_with_a_place_shows_the_line(page: Page) -> None:
    asked = Asked("SELECT v\nFROM t\nWHER v = 1", {})
    shown = said(page, Outcome(1, asked, problem="the query is not SQL at character 22: near v"))
    assert "line 3: WHER v = 1\n             ^" in shown
    assert "at character 99" in said(page, Outcome(1, asked, problem="at character 99"))


def test_a_problem_is_text(page: Page) -> None:
    assert "&lt;script&gt;" in said(page, Outcome(1, Asked("", {}), problem="<script>"))


def test_no_cell_is_html_or_asks_another_machine() -> None:
    rows = pa.table(
        {
            "mime": [{"mimetype": "text/html", "data": "<img src=x>"}],
            "address": ["see HTTPS://evil.example/x.png"],
            "data": ["data:image/png;base64,AA"],
            "list": [["http://evil.example/x.png"]],
            "bytes": [b"\x00\xff"],
            "n": [1],
        }
    )
    shown = cells(named(rows)).to_pylist()[0]
    assert shown["mime"] == '{"mimetype": "text/html", "data": "<img src=x>"}'
    assert not [key for key, value in shown.items() if re.search(r"(?i)https?://|^data:", str(value))]
    assert (shown["bytes"], shown["n"]) == ("00ff", 1)
    assert "https://evil.example/x.png" in as_csv(rows).decode().lower()


def test_columns_of_one_name_are_told_apart() -> None:
    rows = pa.table([[1], [2], [3]], names=["a", "a", "a (2)"])
    assert named(rows).column_names == ["a", "a (2)", "a (2) (2)"]
    assert as_csv(rows).decode().splitlines() == ['"a","a","a (2)"', "1,2,3"]


# -------------------------------------------------------------------------------------------------------- charts

ROWS = pa.table(
    {
        "day": [date(2013, 1, 2), date(2013, 1, 1), None],
        "kind": ["a", "b", "<b>"],
        "n": pa.array([1, 2, None], pa.int64()),
        "x": [0.5, math.nan, 2.0],
        "money": [Decimal("1.5"), Decimal(2), None],
    }
)


def test_a_chart_begins_with_what_is_likely_wanted() -> None:
    assert numbers_of(ROWS) == ["n", "x", "money"]
    assert first_choice(ROWS) == Choice("bars", "day", "n")
    assert first_choice(ROWS.select(["n", "x"])) == Choice("scatter", "n", "x")
    assert first_choice(ROWS.select(["kind"])) is None
    assert first_choice(ROWS.slice(0, 0)) is None


def test_a_chart_has_a_trace_for_each_colour_as_text() -> None:
    (figure,) = picture(ROWS, Choice("bars", "day", "money", "kind"))
    assert [trace.name for trace in figure.data] == ["a", "b", "&lt;b&gt;"]  # type: ignore[attr-defined]
    assert list(figure.data[0].x) == ["2013-01-02"]  # type: ignore[attr-defined]


def test_no_title_of_an_axis_is_html() -> None:
    bad = "<a href='https://evil.example'>x</a>"
    rows = ROWS.rename_columns([bad, "kind", "n<b>", "x", "money"])
    (figure,) = picture(rows, Choice("bars", bad, "n<b>"))
    titles = figure.layout.xaxis.title.text, figure.layout.yaxis.title.text  # type: ignore[attr-defined]
    assert titles == ("&lt;a href=&#x27;https://evil.example&#x27;&gt;x&lt;/a&gt;", "n&lt;b&gt;")


def test_a_line_is_in_the_order_of_x() -> None:
    (figure,) = picture(ROWS, Choice("line", "day", "n"))
    assert list(figure.data[0].x) == ["2013-01-01", "2013-01-02"]  # type: ignore[attr-defined]
    assert figure.data[0].mode == "lines"  # type: ignore[attr-defined]


def test_what_is_not_drawn_is_said() -> None:
    many = pa.table({"x": [str(each) for each in range(600)], "y": range(600)})
    assert "The first 500 of 600 rows are drawn" in str(picture(many, Choice("bars", "x", "y"))[1])
    assert "588 others are not drawn" in str(picture(many, Choice("scatter", "y", "y", "x"))[1])
    assert picture(many, Choice("", "x", "y")) == []


def test_times_and_text_can_be_axes() -> None:
    times = pa.table({"t": [datetime(2013, 1, 1, tzinfo=UTC)], "n": [1]})
    (figure,) = picture(times, Choice("scatter", "t", "n"))
    assert figure.data[0].x[0].startswith("2013-01-01T00:00:00")  # type: ignore[attr-defined]


# -------------------------------------------------------------------------------------------------------- tables


def test_tables_have_columns_versions_and_a_prepared_select(page: Page) -> None:
    assert "sparkml-track run CONFIG" in tables_section(page)
    tables = DeltaTables(page.home.tables)
    for values in ([1], [2]):
        tables.write("air.flights", pa.table({"v": values}), mode="overwrite", description="<i>")
    Path(page.home.tables, "broken", "_delta_log").mkdir(parents=True)
    Path(page.home.tables, "broken", "_delta_log", "00000000000000000000.json").write_text("{")
    shown = tables_section(page)
    assert "/lake/sql/?table=main.air.flights&amp;version=1" in shown
    assert "&lt;i&gt;" in shown
    assert "long" in shown
    assert "broken" in shown
    asked = with_query(page, table="air.flights", version="0")
    assert opened(asked).text == "SELECT *\nFROM air.flights AT (VERSION => 0)\nLIMIT 100"
    versions = versions_section(asked)
    assert ">@0<" in versions
    assert ">@1<" in versions
    assert versions_section(page) == ""


@pytest.mark.parametrize(
    ("name", "version", "source"),
    [
        ("main.default.flights", None, "flights"),
        ("main.air.order", 3, 'air."order" AT (VERSION => 3)'),
        ("lake.default.Big", None, 'lake."default"."Big"'),
    ],
)
def test_a_prepared_select_can_be_read(name: str, version: int | None, source: str) -> None:
    assert prepared(name, version) == f"SELECT *\nFROM {source}\nLIMIT 100"


@pytest.mark.parametrize("query", [{"table": "x; DROP"}, {"table": "a", "version": "x"}, {"query": "../../etc/passwd"}])
def test_an_address_that_is_wrong_says_so(page: Page, query: dict[str, str]) -> None:
    found = opened(with_query(page, **query))
    assert found.problem
    assert "information_schema.tables" in found.text


# -------------------------------------------------------------------------------------------------- saved queries


def test_saved_queries_are_opened_by_name(page: Page, tmp_path: Path) -> None:
    assert "There is no saved query in" in saved_section(page)
    folder = tmp_path / "project" / "queries"
    folder.mkdir(parents=True)
    text = "-- description: late <b>\n-- params: day date = 2013-11-01, most long\nSELECT $day, $most, $other"
    (folder / "late.sql").write_text(text)
    (folder / "bad.sql").write_bytes(b"\xff")
    shown = saved_section(page)
    assert "/lake/sql/?query=late" in shown
    assert "late &lt;b&gt;" in shown
    assert "cannot be read" in shown
    assert opened(with_query(page, query="late")).text == text
    assert "no saved query 'x'" in opened(with_query(page, query="x")).problem
    assert fields(text) == {"day": ("date", "2013-11-01"), "most": ("long", ""), "other": ("", "")}
    assert fields("SELEC") == {}
