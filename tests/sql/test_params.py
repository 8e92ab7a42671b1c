from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sparkml_track.errors import InvalidInput
from sparkml_track.sql import open_engine, parameter_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("2013-11-01", date(2013, 11, 1)),
        ("2013-11-01T12:00:00Z", datetime(2013, 11, 1, 12, tzinfo=UTC)),
        ("2013-11-01T12:00:00+02:00", datetime(2013, 11, 1, 10, tzinfo=UTC)),
        ("2013-11-01 12:00", datetime(2013, 11, 1, 12, tzinfo=UTC)),
        ("UA", "UA"),
        ("nan", "nan"),
        ("", ""),
    ],
)
def test_words_become_the_first_type_that_reads_them(text: str, value: object) -> None:
    found = parameter_value("p", text)
    assert (found, type(found)) == (value, type(value))


def test_a_type_that_is_named_is_the_type() -> None:
    assert parameter_value("p", "42", "string") == "42"
    assert parameter_value("p", "42", "double") == 42.0


@pytest.mark.parametrize(
    ("text", "kind"), [("x", "long"), (str(2**63), "long"), ("inf", "double"), ("1", "boolean"), ("1.11.2013", "date")]
)
def test_what_is_not_of_the_type_is_wrong_input_with_an_example(text: str, kind: str) -> None:
    with pytest.raises(InvalidInput, match=f"parameter 'p' is '{text}', which is not a {kind}; give "):
        parameter_value("p", text, kind)


def test_an_unknown_type_is_wrong_input_with_the_list() -> None:
    with pytest.raises(InvalidInput, match="has the type 'int'; allowed are long, double, boolean"):
        parameter_value("p", "1", "int")


def test_an_unknown_engine_is_wrong_input_with_the_list() -> None:
    with pytest.raises(InvalidInput, match="no SQL engine 'presto'; the engines are: duckdb, spark"):
        open_engine("presto")


def test_spark_without_a_session_is_wrong_input() -> None:
    with pytest.raises(InvalidInput, match="needs a session"):
        open_engine("spark")
