"""A page goes on where a part of it cannot be shown, and leads to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.dashboards import SHIPPED, Page, open_page
from sparkml_track.errors import TableError
from sparkml_track.home import Home


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page("home", Home(tmp_path))


def test_what_is_wrong_is_a_sentence_and_not_html(page: Page) -> None:
    def raising() -> object:
        raise TableError("the table <b>flights</b> is gone")

    assert "the table &lt;b&gt;flights&lt;/b&gt; is gone" in page.shown(raising).text


def test_a_fault_of_ours_costs_its_part_alone(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    def raising() -> object:
        raise ZeroDivisionError("<b>by zero</b>")

    text = page.shown(raising).text
    assert "cannot be shown: ZeroDivisionError: &lt;b&gt;by zero" in text
    assert "a part of the page home" in caplog.text


def test_each_page_leads_to_all_that_are_offered(page: Page) -> None:
    head = page.head().text
    assert all(f'href="/lake/{each.name}/"' in head for each in SHIPPED if each.listed)
    assert '<a href="/lake/home/" aria-current="page">' in head
    assert 'href="/"' in head, "MLflow's own pages"


def test_a_page_of_the_project_has_its_own_name(tmp_path: Path) -> None:
    assert "<h1>my &lt;page&gt;</h1>" in Page("my <page>", Home(tmp_path)).head().text


def test_every_page_has_a_file_and_a_sentence() -> None:
    assert [each.name for each in SHIPPED if not each.file.is_file() or not each.about.endswith(".")] == []


def test_pages_of_one_home_share_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    assert open_page("home").kept is open_page("sweeps").kept
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "other"))
    assert open_page("home").home == Home(tmp_path / "other")
    assert open_page("home").kept is not Page("home", Home(tmp_path)).kept


def test_a_list_and_a_figure_are_shown_as_such(page: Page) -> None:
    from sparkml_track.dashboards.blocks import note
    from sparkml_track.dashboards.charts import chart

    shown = page.shown(lambda: [note("one"), chart([{"type": "bar", "x": ["a"], "y": [1]}])]).text
    assert "one" in shown
    assert "marimo-plotly" in shown
