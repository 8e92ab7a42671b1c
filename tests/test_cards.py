"""What notebooks show of values: short, escaped, with what was made from what, and without reading rows."""

from __future__ import annotations

import pytest

from sparkml_track.cards import card, table
from sparkml_track.features import TrainingSet
from sparkml_track.monitoring import Monitored, Verdict
from sparkml_track.refs import ModelRef, TableRef
from sparkml_track.scoring import Scored
from sparkml_track.tables import TableInfo

WEATHER = TableRef("air.weather", "/tables/air.weather", 3)
BAD = "<script>alert(1)</script>"


class Untouched:
    """A data frame that must not be asked anything."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)


VALUES = {
    "version": (WEATHER, ["air.weather@v3", "/tables/air.weather"]),
    "table": (
        TableInfo(WEATHER, {"k": "string", BAD: "double"}, ("k",), None, None, BAD, {"k": "a key"}),
        ["air.weather@v3", "k", "string", "key", "a key"],
    ),
    "training set": (
        TrainingSet(Untouched(), "late", ("wind", BAD), ("flight",), {"air.weather": WEATHER}, {BAD: 1200}),  # type: ignore[arg-type]
        ["late", "flight", "2: wind, ", "air.weather@v3", "1,200 "],
    ),
    "scores": (
        Scored(WEATHER, ModelRef("delays", 7, "r", "u"), "run1", 12345, {BAD: 2}, 75.0, {}),
        ["Scores air.weather@v3", "delays version 7", "12,345", "2 ", "1 min 15 s", "run1"],
    ),
    "monitoring": (
        Monitored(
            {"drift": WEATHER}, "run1", "m1", (), (), 3.0,
            verdicts=[
                Verdict("calm", "2013-02", "ok", None, 0, 0.01, 0.0, 0.0, 0.0, 0.0),
                Verdict(BAD, "2013-02", "drift", "2013-01", 2, 0.9, 1.0, 0.0, 0.0, 0.0),
            ],
        ),
        ["0.9", "2 windows in a row", "calm is as in the baseline", "run1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_shown_with_its_version_and_the_way_to_its_lineage(name: str) -> None:
    value, said = VALUES[name]
    html = value._repr_html_()  # type: ignore[attr-defined]
    assert [words for words in said if words not in html] == []
    assert "sparkml-track catalog lineage air.weather --at 3" in html
    assert "<script" not in html
    assert len(html) < 5_000


def test_columns_that_drifted_come_first() -> None:
    html = VALUES["monitoring"][0]._repr_html_()  # type: ignore[attr-defined]
    assert html.index("has drifted") < html.index("calm")


def test_long_values_are_cut_and_empty_facts_left_out() -> None:
    html = card("t", {"long": "x" * 9_000, "none": None, "empty": "", "zero": 0})
    assert len(html) < 1_000
    assert "none" not in html
    assert "empty" not in html
    assert "zero" in html


def test_a_table_has_names_and_cells() -> None:
    html = table(["a<", "b"], [(1.23456789, None), ("<", True)])
    assert html.count("<tr>") == 3
    assert "a&lt;" in html
    assert "1.23457" in html
