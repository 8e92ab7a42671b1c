from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sparkml_track.catalog import SavedQuery, read_saved
from sparkml_track.catalog.queries.saved import Param
from sparkml_track.errors import InvalidInput

TEXT = """\
-- description: flights of a day that came late
-- params: day date = 2013-11-01, most long = 10,
-- params: carrier string = 'UA, or', code string, free
SELECT * FROM air.flights
"""


@pytest.fixture
def query(tmp_path: Path) -> SavedQuery:
    (tmp_path / "late.sql").write_text(TEXT)
    return read_saved(tmp_path / "late.sql")


def test_a_file_says_what_it_needs(query: SavedQuery) -> None:
    assert (query.name, query.text, query.description) == ("late", TEXT, "flights of a day that came late")
    assert query.params == {
        "day": Param("date", "2013-11-01"),
        "most": Param("long", "10"),
        "carrier": Param("string", "UA, or"),
        "code": Param("string"),
        "free": Param(),
    }


def test_values_come_from_words_and_defaults_with_the_types_of_the_file(query: SavedQuery) -> None:
    values = query.values({"code": "007", "day": "2013-12-24", "other:string": "1", "free": "1"})
    assert values == {
        "day": date(2013, 12, 24), "most": 10, "carrier": "UA, or", "code": "007", "free": 1, "other": "1"
    }  # fmt: skip


def test_all_wrong_values_are_told_at_once(query: SavedQuery) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)2 problems.*'day' is 'x', which is not a date.*'most' is 'many'"):
        query.values({"day": "x", "most": "many"})


@pytest.mark.parametrize("line", ["day datum = 1", "1day date", ", ,", "day date and most long"])
def test_a_header_that_cannot_be_read_is_wrong_input(tmp_path: Path, line: str) -> None:
    (tmp_path / "q.sql").write_text(f"-- params: {line}\nSELECT 1\n")
    with pytest.raises(InvalidInput, match="write name type = value"):
        read_saved(tmp_path / "q.sql")


def test_a_file_that_is_no_text_or_not_there_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "q.sql", tmp_path / "none.sql", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be read"):
            read_saved(path)
