"""Bodies of requests: each form says the same, and what does not fit is refused in a sentence."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparkml_track.serving.protocol.answers import plain_rows
from sparkml_track.serving.protocol.bodies import Body, read_body
from sparkml_track.serving.protocol.columns import Input, Typed, typed
from sparkml_track.serving.protocol.params import Param, checked_params
from sparkml_track.serving.protocol.refused import Refused

INPUTS = (Input("wind", "double"), Input("seats", "long"))
NAMES = [each.name for each in INPUTS]
FORMS = {
    "split": {"dataframe_split": {"columns": ["seats", "wind"], "data": [[3, 1.5], [4, None]], "index": [7, 8]}},
    "records": {"dataframe_records": [{"wind": 1.5, "seats": 3}, {"seats": 4}]},
    "instances": {"instances": [{"wind": 1.5, "seats": 3}, {"wind": None, "seats": 4}]},
    "positional instances": {"instances": [[1.5, 3], [None, 4]]},
    "inputs": {"inputs": {"wind": [1.5, None], "seats": [3, 4]}},
    "records as inputs": {"inputs": [{"wind": 1.5, "seats": 3}, {"wind": None, "seats": 4}]},
    "not a number": {"inputs": {"wind": [1.5, math.nan], "seats": [3.0, 4]}},
}


def read(given: object, kind: str = "application/json") -> Body:
    return read_body(given if isinstance(given, bytes) else json.dumps(given).encode(), kind, NAMES)


def columns(body: Body, inputs: tuple[Input, ...] = INPUTS) -> Typed:
    return typed(body.columns, body.rows, inputs, is_text=body.is_text)


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_say_the_same(form: str) -> None:
    found = columns(read(FORMS[form]))
    assert found.plain == {"wind": [1.5, None], "seats": [3, 4]}
    assert found.arrays["wind"].dtype == "float64" and found.arrays["seats"].dtype == "int64"
    assert found.holes == [None, "wind"]


def test_csv_says_the_same_with_empty_fields_as_nulls() -> None:
    found = columns(read(b"seats,wind\n3,1.5\n4,\n", "text/csv; charset=utf-8"))
    assert found.plain == {"wind": [1.5, None], "seats": [3, 4]}


def test_inputs_of_plain_values_are_one_row() -> None:
    assert columns(read({"inputs": {"wind": 1, "seats": 2}})).plain == {"wind": [1.0], "seats": [2]}


@pytest.mark.parametrize("form", ["split", "records", "inputs"])
def test_frames_are_those_that_mlflows_own_server_makes(form: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.pyfunc.scoring_server import infer_and_parse_data
    from mlflow.types import ColSpec, Schema

    schema = Schema([ColSpec(each.kind, each.name) for each in INPUTS])
    theirs = pd.DataFrame(infer_and_parse_data(FORMS[form], schema))[NAMES]
    pd.testing.assert_frame_equal(
        pd.DataFrame(columns(read(FORMS[form])).arrays).reset_index(drop=True),
        theirs.reset_index(drop=True).astype({"wind": "float64", "seats": "int64"}),
    )


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        (b"", "application/json", "the body is not JSON"),
        (b"{", "application/json", "the body is not JSON"),
        (b"\xff{}", "application/json", "not UTF-8 text: byte 0"),
        (b"[" * 100_000, "application/json", "nested too deeply"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "application/json", "the body is not JSON"),
        (b"{}", "text/plain", "must be application/json or text/csv"),
        (b"{}", "", "the content type is 'not given'"),
        (b"{}", "application/json; charset=latin-1", "it must be UTF-8"),
        ([1], "application/json", "the body is a list, it must be a JSON object"),
        ({}, "application/json", "give one of dataframe_split"),
        ({"rows": []}, "application/json", "has the keys 'rows'"),
        ({"inputs": {}, "instances": []}, "application/json", "has instances and inputs"),
        ({"inputs": {}, "more": 1}, "application/json", "has 'more' beside inputs"),
        ({"inputs": {}, "params": [1]}, "application/json", "params are a list"),
        ({"dataframe_split": [1]}, "application/json", "dataframe_split must be"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "application/json", "row 0 of dataframe_split"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "application/json", "has the column 'a' twice"),
        ({"dataframe_records": [{"a": 1}, 2]}, "application/json", "row 1 of dataframe_records is a number"),
        ({"dataframe_records": {"a": 1}}, "application/json", "it must be a list of rows"),
        (
            {"inputs": [{f"c{n}": 1} for n in range(5_000)]},
            "application/json",
            "5,000 rows with 5,000 different columns",
        ),
        ({"instances": [[1]]}, "application/json", "row 0 of instances is 1 values"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "application/json", "column 'b' of inputs has 2 values"),
        ({"inputs": {"a": [1], "b": 2}}, "application/json", "column 'b' of inputs is a number"),
        (b"", "text/csv", "the body is empty"),
        (b"a,b\n1\n", "text/csv", "row 0 of the CSV is 1 values"),
        (b'a\n"x\n', "text/csv", "the body is not CSV"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_in_a_sentence(given: object, kind: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence.replace("(", r"\(")):
        read(given, kind)


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("double", "x", "is not a number"),
        ("double", True, "is not a number"),
        ("double", [1], "is not a number"),
        ("double", 10**400, "is not double"),
        ("long", 1.5, "is not a whole number"),
        ("long", 2**63, "is beyond the longs"),
        ("integer", 2**31, "is beyond the integers"),
        ("integer", True, "is not a whole number"),
        ("boolean", 1, "is not true or false"),
        ("string", 1, "is not text"),
        ("string", "\ud800", "is not Unicode text"),
        ("datetime", "soon", "is not a time"),
        ("datetime", 5, "is not a time"),
        ("binary", "?", "is not text in base64"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_column_and_row(kind: str, value: object, sentence: str) -> None:
    with pytest.raises(Refused, match=f"column 'a' is {kind}, and its value in row 1, .*, {sentence}"):
        typed({"a": [None, value]}, 2, (Input("a", kind),), is_text=False)


def test_missing_columns_are_all_named_and_others_are_passed_over() -> None:
    with pytest.raises(Refused, match=r"the column 'wind' \(double\), 'seats' \(long\) is missing"):
        columns(read({"inputs": {"other": [1]}}))
    assert list(columns(read({"inputs": {"other": [1], "seats": [2], "wind": [3]}})).arrays) == NAMES


def test_no_rows_are_no_rows() -> None:
    assert columns(read({"dataframe_records": []})).plain == {"wind": [], "seats": []}


def test_nulls_make_floats_of_whole_numbers_and_booleans() -> None:
    given = {"long": [None, 2], "boolean": [True, None], "string": [None, "x"], "datetime": [None, "2013-01-31T12:00Z"]}
    found = typed(given, 2, tuple(Input(kind, kind) for kind in given), is_text=False)
    assert math.isnan(found.arrays["long"][0]) and found.arrays["long"][1] == 2
    assert found.arrays["boolean"][0] == 1.0 and math.isnan(found.arrays["boolean"][1])
    assert list(found.arrays["string"]) == [None, "x"]
    assert found.arrays["datetime"][1] == np.datetime64("2013-01-31T12:00")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("long", "7", 7),
        ("double", "1e3", 1e3),
        ("boolean", "TRUE", True),
        ("string", "1", "1"),
        ("double", "nan", None),
    ],
)
def test_csv_is_read_in_the_types_of_the_signature(kind: str, text: str, value: object) -> None:
    assert typed({"a": [text]}, 1, (Input("a", kind),), is_text=True).plain == {"a": [value]}


def test_what_is_no_number_in_csv_is_refused() -> None:
    with pytest.raises(Refused, match="column 'a' is double, and its value in row 0, 'x'"):
        typed({"a": ["x"]}, 1, (Input("a", "double"),), is_text=True)


def test_params_are_held_to_the_signature() -> None:
    known = {"top": Param("top", "integer", 5), "names": Param("names", "string", None, is_list=True)}
    assert checked_params({"top": 3}, known) == {"top": 3, "names": None}
    for given, sentence in (
        ({"tpo": 1}, "the param 'tpo' is unknown: this version takes the params top, names"),
        ({"top": True}, "the param 'top' is True, it must be integer"),
        ({"names": "a"}, "it must be a list of string"),
    ):
        with pytest.raises(Refused, match=sentence):
            checked_params(given, known)
    with pytest.raises(Refused, match="takes no params"):
        checked_params({"a": 1}, {})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (np.array([1.0, np.nan, np.inf]), [1.0, None, None]),
        (np.array([[0.25, 0.75]] * 3), [[0.25, 0.75]] * 3),
        (np.array(["a", "b", None], dtype=object), ["a", "b", None]),
        (np.array(["2013-01-01"] * 3, dtype="datetime64[us]"), ["2013-01-01T00:00:00"] * 3),
        (pd.Series([1, 2, 3]), [1, 2, 3]),
        (
            pd.DataFrame({"a": [1, 2, 3], "b": [np.nan, 1, 2]}),
            [{"a": a, "b": b} for a, b in ((1, None), (2, 1.0), (3, 2.0))],
        ),
        ([{"x": np.float32(0.5)}, [np.int64(1)], b"z"], [{"x": 0.5}, [1], "b'z'"]),
    ],
)
def test_answers_are_one_json_value_for_each_row(answer: Any, expected: list[object]) -> None:
    assert plain_rows(answer, 3) == expected


def test_an_answer_with_another_number_of_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="gave 2 values for 3 rows"):
        plain_rows(np.zeros(2), 3)
