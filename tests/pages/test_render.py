from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.pages import render, text_of
from sparkml_track.plots import Plotted


def test_the_library_is_given_by_its_file_and_stands_in_the_page_once(tmp_path: Path) -> None:
    library = tmp_path / "library.js"
    library.write_text("let figures = 1;")
    page = render("page", library, title="t", plots=[Plotted("one", "", "<div></div>")])
    assert page[1] == library
    assert text_of(page).count("<script>let figures = 1;</script>") == 1


def test_text_is_escaped_and_figures_are_not() -> None:
    html = text_of(render("page", title="<i>", plots=[Plotted("<b>", "a & b", "<div></div>")]))
    assert "<i>" not in html
    assert "<b>" not in html
    assert "a &amp; b" in html
    assert "<div></div>" in html


def test_a_page_without_figures_needs_no_script() -> None:
    assert "<script" not in text_of(render("page", title="t", plots=[]))


def test_a_value_that_a_template_misses_is_an_error() -> None:
    with pytest.raises(Exception, match="'plots' is undefined"):
        render("page", title="t")


def test_text_that_is_no_unicode_is_shown_with_marks_in_its_place() -> None:
    assert "a?b" in text_of(render("page", title="a\udc80b", plots=[]))
