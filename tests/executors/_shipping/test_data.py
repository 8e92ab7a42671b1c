"""What a slot opens equals what was given: every kind of data, and the way out where it cannot be sent."""

from __future__ import annotations

import datetime
import logging
import os
import threading
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from sparkml_track.errors import DataError
from sparkml_track.executors._shipping.data import place, place_all
from sparkml_track.slot.attempt.context import Data


@pytest.fixture
def arrives(tmp_path: Path) -> Callable[[object], Any]:
    (tmp_path / "blobs").mkdir()

    def through(value: object) -> Any:
        return Data({"given": place("given", value, str(tmp_path))}, str(tmp_path / "blobs"))["given"]

    return through


class Own:
    def __init__(self, x: object) -> None:
        self.x = x


FRAMES: dict[str, Callable[[], Any]] = {
    "numbers": lambda: pd.DataFrame({"a": [1.5, 2.5], "b": [1, 2]}),
    "text": lambda: pd.DataFrame({"a": ["x", None, "z"]}, index=["p", "q", "r"]),
    "large whole numbers": lambda: pd.DataFrame({"a": pd.Series([2**60 + 1, None], dtype=object)}),
    "larger than 64 bits": lambda: pd.DataFrame({"a": pd.Series([2**70, 1], dtype=object)}),
    "dicts": lambda: pd.DataFrame({"a": [{"x": 1}, {"y": 2}]}),
    "ids": lambda: pd.DataFrame({"a": [uuid.UUID(int=1), uuid.UUID(int=2)]}),
    "mixed": lambda: pd.DataFrame({"a": [1, "x", None, Decimal("1.10"), b"y", (1, 2), {3}]}),
    "mixed column names": lambda: pd.DataFrame({"a": [1], 2: [3], ("b", 4): [5]}),
    "number names": lambda: pd.DataFrame([[1, 2], [3, 4]]),
    "twice the same column": lambda: pd.DataFrame([[1, "x"]], columns=["a", "a"]),
    "levels of columns": lambda: pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    "mixed zones": lambda: pd.DataFrame(
        {
            "a": pd.Series(
                [pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2020-01-01", tz="Asia/Tokyo")], dtype=object
            )
        }
    ),
    "one zone": lambda: pd.DataFrame({"a": pd.date_range("2020-01-01", periods=2, tz="Europe/Paris")}),
    "cut": lambda: pd.DataFrame({"a": pd.cut(pd.Series([1, 5, 9]), 3)}),
    "periods": lambda: pd.DataFrame({"a": pd.period_range("2020-01", periods=2, freq="M")}),
    "sparse": lambda: pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}),
    "complex": lambda: pd.DataFrame({"a": [1 + 2j, 3j]}),
    "lone surrogates": lambda: pd.DataFrame({"a": ["\udc80", "x"], "\udcff": [1, 2]}),
    "extension types": lambda: pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.array(["x", None], "string")}),
    "arrow types": lambda: pd.DataFrame({"a": pd.array([[1], None], pd.ArrowDtype(pa.list_(pa.int64())))}),
    "own objects": lambda: pd.DataFrame({"a": [datetime.date(2020, 1, 1), datetime.time(1)]}, index=[1.5, "y"]),
    "nothing": pd.DataFrame,
    "no rows": lambda: pd.DataFrame({"a": pd.Series([], dtype="float32")}),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_data_frame_arrives_as_it_was_given(kind: str, arrives: Callable[[object], Any]) -> None:
    given = FRAMES[kind]()
    arrived = arrives(given)
    pd.testing.assert_frame_equal(arrived, given, check_exact=True, check_freq=True, check_column_type="exact")
    for at, dtype in enumerate(given.dtypes):
        if dtype.kind == "O":
            assert [type(each) for each in arrived.iloc[:, at]] == [type(each) for each in given.iloc[:, at]]


def test_a_series_keeps_its_name_and_index(arrives: Callable[[object], Any]) -> None:
    given = pd.Series([1.0, 2.0], index=pd.Index(["x", "y"], name="i"), name=("a", 7))
    pd.testing.assert_series_equal(arrives(given), given)


def test_a_frame_belongs_to_the_attempt_and_its_numbers_are_mapped(arrives: Callable[[object], Any]) -> None:
    arrived = arrives(pd.DataFrame(np.zeros((1000, 4))))
    arrived.iloc[0, 0] = 5.0
    assert arrived.iloc[0, 0] == 5.0
    assert not arrived.to_numpy().flags.owndata


@pytest.mark.parametrize("hard", [True, False])
def test_a_masked_array_keeps_its_mask_and_is_mapped(hard: bool, arrives: Callable[[object], Any]) -> None:
    given = np.ma.MaskedArray(np.arange(6.0).reshape(2, 3), [[1, 0, 0], [0, 0, 1]], fill_value=7, hard_mask=hard)
    arrived = arrives(given)
    assert type(arrived) is np.ma.MaskedArray
    assert (arrived.mask == given.mask).all()
    assert (arrived.data == given.data).all()
    assert (arrived.fill_value, arrived.hardmask, arrived.sum()) == (7.0, hard, 10.0)
    assert not arrived.flags.writeable
    assert not arrived.mask.flags.writeable


@pytest.mark.parametrize(
    "given",
    [
        np.ma.MaskedArray([1.0, 2.0]),
        np.ma.MaskedArray(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), [(1, 0)]),
        np.ma.MaskedArray(np.array(["x", {}], dtype=object), [1, 0]),
    ],
    ids=["no mask", "fields", "objects"],
)
def test_masked_arrays_of_other_makes_keep_their_mask_too(given: Any, arrives: Callable[[object], Any]) -> None:
    arrived = arrives(given)
    assert arrived.dtype == given.dtype
    assert np.ma.getmaskarray(arrived).tolist() == np.ma.getmaskarray(given).tolist()
    assert arrived.tolist() == given.tolist()


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse_matrices_arrive(form: str, kind: str, arrives: Callable[[object], Any]) -> None:
    given: Any = getattr(sparse, f"{form}_{kind}")(np.diag([1.0, 2.0, 3.0]))
    arrived = arrives(given)
    assert type(arrived) is type(given)
    assert (arrived.toarray() == given.toarray()).all()


def test_a_sparse_matrix_is_mapped_by_its_arrays(arrives: Callable[[object], Any]) -> None:
    arrived = arrives(sparse.random(100, 100, 0.1, "csr"))
    parts = (arrived.data, arrived.indices, arrived.indptr)
    assert not any(part.flags.owndata or part.flags.writeable for part in parts)


@pytest.mark.parametrize(
    "given",
    [
        np.arange(6).reshape(2, 3).T,
        np.array(3.5),
        np.zeros((0, 4)),
        np.array(["x", None, {"y": 1}], dtype=object),
        np.array(["2020-01-01"], "M8[D]"),
        np.array([(1, "x")], dtype=[("a", "i4"), ("b", "U3")]),
        np.rec.array([(1, 2.0)], names="a,b"),
        np.array(["a", "bcd"], dtype=np.dtypes.StringDType()),
        np.matrix([[1, 2]]),
    ],
    ids=["transposed", "scalar", "empty", "objects", "dates", "fields", "records", "text", "matrix"],
)
def test_arrays_arrive_with_type_shape_and_dtype(given: Any, arrives: Callable[[object], Any]) -> None:
    arrived = arrives(given)
    assert type(arrived) in (type(given), np.memmap)
    assert (arrived.dtype, arrived.shape, arrived.tolist()) == (given.dtype, given.shape, given.tolist())


@pytest.mark.parametrize(
    "given",
    [[1, "x", None], {"a": {1, 2}, 3: (4.5, b"z")}, "text", 7, 2**70, None, {"big": np.arange(10)}, "\udc80"],
    ids=range(8),
)
def test_lists_dicts_and_other_values_arrive(given: object, arrives: Callable[[object], Any]) -> None:
    assert repr(arrives(given)) == repr(given)


def test_an_object_of_a_class_of_ones_own_arrives(arrives: Callable[[object], Any]) -> None:
    arrived = arrives(Own([1, 2]))
    assert (type(arrived), arrived.x) == (Own, [1, 2])


def test_dictionaries_that_differ_by_chunk_arrive(arrives: Callable[[object], Any]) -> None:
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()]
    given = pa.table({"x": pa.chunked_array(chunks)})
    assert arrives(given).to_pylist() == given.to_pylist()


def test_what_one_attempt_changes_the_next_does_not_see(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    given = {"list": [1], "dict": {"x": np.zeros(2)}, "frame": pd.DataFrame({"a": [1.0]})}
    data: Any = Data(place_all(given, str(tmp_path)), str(tmp_path / "blobs"))
    data["list"].append(2)
    data["dict"]["x"][0] = 9
    data["frame"].loc[0, "a"] = 9
    data.renew()
    assert (data["list"], data["dict"]["x"].tolist(), data["frame"]["a"].tolist()) == ([1], [0.0, 0.0], [1.0])


def test_the_log_says_once_what_each_attempt_unpickles(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "blobs").mkdir()
    with caplog.at_level(logging.INFO):
        place_all({"a": [1], "b": {}, "c": np.ones(2), "d": pd.DataFrame(), "e": sparse.eye(2)}, str(tmp_path))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("data 'a' (list), 'b' (dict): pickled once")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: [threading.Lock()], "data 'given' is a list that cannot be pickled .*lock.*create it inside"),
        (lambda: (x for x in ()), "is a generator that cannot be pickled"),
        (lambda: pd.DataFrame({"a": [1], "b": [threading.Lock()]}), "column 'b' cannot be pickled .*drop it"),
    ],
    ids=["lock", "generator", "column"],
)
def test_what_cannot_be_sent_is_refused_with_the_name_and_the_way_out(
    value: Callable[[], object], message: str, arrives: Callable[[object], Any]
) -> None:
    with pytest.raises(DataError, match=message):
        arrives(value())


def test_what_would_arrive_as_something_else_is_refused(arrives: Callable[[object], Any]) -> None:
    refusal = pytest.raises(DataError, match="is a TextIOWrapper and would arrive as a StringIO")
    with open(os.devnull) as file, refusal:
        arrives(file)
