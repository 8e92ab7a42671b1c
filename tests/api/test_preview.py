"""The first rows of a table or of a data frame."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

import sparkml_track as st
from sparkml_track.errors import InvalidInput, TableError
from sparkml_track.home import Home
from sparkml_track.refs import TableRef
from sparkml_track.tables import DeltaTables


@pytest.fixture
def weather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TableRef:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    tables = DeltaTables(Home.find().tables_root)
    first = tables.write("air.weather", pa.table({"k": ["<b>"] * 50, "v": range(50)}))
    tables.write("air.weather", pa.table({"k": ["b"], "v": [7]}), mode="append")
    return first


def test_a_table_is_shown_with_its_size_and_some_of_its_rows(weather: TableRef) -> None:
    shown = st.preview("air.weather", rows=3)
    assert (shown.shape, shown.rows.num_rows) == ((51, 2), 3)
    assert repr(shown).startswith("<Preview of air.weather@v1: 51 rows, 2 columns>\n")
    html = shown._repr_html_()
    assert "sparkml-track catalog lineage air.weather --at 1" in html
    assert "k (string)" in html
    assert "<b>" not in html.partition("<table><thead>")[2]


def test_a_version_is_shown_as_it_was(weather: TableRef) -> None:
    shown = st.preview(weather)
    assert (shown.title, shown.shape) == ("air.weather@v0", (50, 2))


def test_of_a_data_frame_so_many_rows_are_computed() -> None:
    asked: list[int] = []

    def limit(rows: int) -> object:
        asked.append(rows)
        return SimpleNamespace(toArrow=lambda: pa.table({"a": [1, 2]}))

    frame = SimpleNamespace(limit=limit, toArrow=lambda: pytest.fail("all rows were computed"))
    assert st.preview(frame, rows=2).shape == (None, 1)
    assert st.preview(SimpleNamespace(df=frame), rows=2).shape == (None, 1)  # as a TrainingSet has one
    assert asked == [2, 2]


def test_many_columns_are_cut() -> None:
    wide = SimpleNamespace(limit=lambda _: SimpleNamespace(toArrow=lambda: made), toArrow=None)
    made = pa.table({f"c{n}": [n] for n in range(100)})
    html = st.preview(wide)._repr_html_()
    assert "40 columns" in html
    assert "c39 " in html
    assert "c40 " not in html


def test_what_has_no_preview_is_refused(weather: TableRef) -> None:
    with pytest.raises(InvalidInput, match="a list has no preview; give the name of a table, a TableRef, or a Spark"):
        st.preview([1])
    with pytest.raises(TableError, match="there is no table none in"):
        st.preview("none")
