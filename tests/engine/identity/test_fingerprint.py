"""What makes two sweeps the same, and how a difference reads."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import numpy
import pandas
import pyarrow
import pytest
from scipy import sparse

import sparkml_track as st
from sparkml_track.engine.identity.data_digest import data_digest, materialised
from sparkml_track.engine.identity.fingerprint import code_digest, differences, fingerprint, part_digests
from sparkml_track.engine.spec.spec import Failures, Spec, Tracking
from sparkml_track.errors import DataError
from sparkml_track.goal import Goal
from sparkml_track.refs import DataRef, TableRef
from sparkml_track.space import parse

FACTOR = 2


def helper(value: float) -> float:
    return value * FACTOR


def objective(trial: Any) -> float:
    return helper(trial.params["x"])


def other_helper(value: float) -> float:
    return value * FACTOR + 1


SPEC = Spec(objective, parse({"x": st.uniform(0, 1), "k": st.choice("a", {"b": st.randint(0, 3)})}), "s", "e")


def changed(**fields: Any) -> list[str]:
    return differences(fingerprint(SPEC, {}), fingerprint(replace(SPEC, **fields), {}))


def test_equal_sweeps_have_no_differences() -> None:
    assert changed() == []


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"sampler": "random"}, "spec.sampler: was 'tpe', is 'random'"),
        ({"sampler": {"tpe": {"startup": 3}}}, "spec.sampler: was 'tpe', is not there"),
        ({"max_trials": 5}, "spec.max_trials: was None, is 5"),
        ({"goals": (Goal("auc"),)}, "spec.metric: was ['loss'], is ['auc']"),
        ({"space": parse({"x": st.uniform(0, 2), "k": "a"})}, "space.x.uniform: was [0, 1], is [0, 2]"),
        ({"space": parse({"k": st.choice("a", {"b": st.randint(0, 3)}), "x": st.uniform(0, 1)})}, "the order of"),
        ({"seed": 9}, "spec.seed: was 0, is 9"),
    ],
)
def test_a_difference_says_where_what_it_was_and_what_it_is(fields: dict[str, Any], line: str) -> None:
    assert any(line in each for each in changed(**fields)), changed(**fields)


def test_where_it_runs_and_how_much_is_put_up_with_do_not_count() -> None:
    other = {"parallelism": 9, "executor": "inline", "failures": Failures(retries=9), "timeout": 5.0}
    assert changed(**other, tracking=Tracking("http://elsewhere"), resume="never") == []


def test_versions_of_packages_count() -> None:
    old = fingerprint(SPEC, {}, tags={"sparkml.version.numpy": "2.1", "sparkml.spark.application": "app-1"})
    new = fingerprint(SPEC, {}, tags={"sparkml.version.numpy": "2.2", "sparkml.spark.application": "app-2"})
    assert differences(old, new) == ["packages.numpy: was '2.1', is '2.2'"]
    assert part_digests(old) != part_digests(new)


FRAME = pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
TABLE = pyarrow.table({"a": list(range(100)), "b": ["y"] * 100})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (numpy.arange(6.0), numpy.arange(6.0).reshape(2, 3)),
        (numpy.arange(6), numpy.arange(6).astype("int32")),
        (numpy.zeros(3 << 20, "u1"), numpy.concatenate([numpy.zeros((3 << 20) - 1, "u1"), numpy.ones(1, "u1")])),
        (FRAME, FRAME.rename(columns={"a": "c"})),
        (FRAME, FRAME.iloc[::-1]),
        (TABLE, TABLE.slice(1)),
        (TABLE, TABLE.set_column(0, "a", pyarrow.array(range(100), "int32"))),
    ],
    ids=range(7),
)
def test_content_shape_type_and_names_of_data_count(one: Any, other: Any) -> None:
    assert data_digest(one) == data_digest(one.copy() if hasattr(one, "copy") else one)
    assert data_digest(one) != data_digest(other)


def objects(*values: object) -> pandas.DataFrame:
    return pandas.DataFrame({"a": pandas.Series(values, dtype=object)})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (numpy.ma.MaskedArray([1.0, 2.0], [0, 1]), numpy.ma.MaskedArray([1.0, 2.0], [1, 0])),
        (numpy.ma.MaskedArray([1.0, 2.0], [0, 1]), numpy.ma.MaskedArray([1.0, 3.0], [0, 1])),
        (numpy.array(["x", None], object), numpy.array(["x", 1], object)),
        (objects(2**60 + 1, None), objects(2**60, None)),
        (objects(1, None), objects(1.0, None)),
        (objects({"x": 1}), objects({"y": 1})),
        (FRAME, FRAME.set_axis([5, 6])),
        (pandas.Series(pandas.cut([1, 5], 2)), pandas.Series(pandas.cut([1, 5], 3))),
        (pandas.Series([1], name="a"), pandas.Series([1], name="b")),
        (sparse.csr_matrix([[0, 1]]), sparse.csr_matrix([[0, 2]])),
        ([1, "x"], [1, "y"]),
        ([1], [True]),
        ({"a": {1, 2}}, {"a": {1, 3}}),
        ([[1], [2]], [[1, 2]]),
        (["\udc80"], ["\udc81"]),
    ],
    ids=range(15),
)
def test_what_each_kind_of_data_holds_counts(one: Any, other: Any) -> None:
    assert data_digest(one) == data_digest(copy.deepcopy(one))
    assert data_digest(one) != data_digest(other)


def test_what_equal_data_shares_in_memory_does_not_count() -> None:
    text = "".join(["a", "b"])
    assert data_digest([text, text, (text,)]) == data_digest(["ab", "".join(["a", "b"]), ("".join("ab"),)])
    assert data_digest(objects(text, text)) == data_digest(objects("".join(["a", "b"]), "ab"))
    split = pandas.DataFrame({"x": [1.0, 2.0]})
    split["y"] = [3.0, 4.0]
    assert data_digest(split) == data_digest(
        pandas.DataFrame(numpy.array([[1.0, 3.0], [2.0, 4.0]]), columns=["x", "y"])
    )


def test_another_process_gives_the_same_digest() -> None:
    given = "{'a': {'x', 'y', 'z'}, 'b': [{'k', None}, ('t', 1)]}"
    code = (
        f"from sparkml_track.engine.identity.data_digest import data_digest, materialised; print(data_digest({given}))"
    )
    found = {
        subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert found == {f"{data_digest(eval(given))}\n".encode()}


def test_the_layout_of_data_does_not_count() -> None:
    square = numpy.arange(9).reshape(3, 3)
    assert data_digest(square.T) == data_digest(numpy.ascontiguousarray(square.T))
    pieces = pyarrow.concat_tables([TABLE.slice(0, 10), TABLE.slice(10)])
    assert pieces.column(0).num_chunks == 2
    assert data_digest(pieces) == data_digest(TABLE)


def test_data_of_a_table_is_named_by_its_version() -> None:
    def of(version: int) -> Any:
        ref = DataRef("train", "v", 1, TableRef("flights", "/t", version))
        return fingerprint(SPEC, {"train": TABLE, "extra": TABLE}, [ref])

    assert differences(of(1), of(2)) == ["data.train: was 'flights@v1 v', is 'flights@v2 v'"]


def test_code_that_the_objective_uses_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest(objective)
    with monkeypatch.context() as patched:
        patched.setitem(globals(), "helper", other_helper)
        assert code_digest(objective) != before
    with monkeypatch.context() as patched:
        patched.setitem(globals(), "FACTOR", 3)
        assert code_digest(objective) != before
    assert code_digest(objective) == before


def test_bound_arguments_and_captured_values_count() -> None:
    def made(depth: int) -> Any:
        return lambda trial: depth

    assert code_digest(made(1)) == code_digest(made(1)) != code_digest(made(2))
    assert code_digest(partial(objective, a=1)) != code_digest(partial(objective, a=2))
    assert code_digest(partial(objective, a=1)) == code_digest(partial(objective, a=1))


def test_a_spark_frame_that_arrow_cannot_hold_is_refused_with_its_name() -> None:
    from pyspark.errors import PySparkTypeError

    class Frame:
        def toArrow(self) -> object:  # noqa: N802
            raise PySparkTypeError("no Arrow type for interval year to month")

    with pytest.raises(DataError, match=r"collecting data 'train' .*interval year to month; cast, rename or drop"):
        materialised("train", Frame())
