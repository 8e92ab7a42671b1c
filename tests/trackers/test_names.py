from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from sparkml_track.testing.trackers import sample_child
from sparkml_track.trackers import problems
from sparkml_track.trackers._names import key
from sparkml_track.trackers._rows import child_points, latest

names = st.text(st.sampled_from(list("ab./ _-:?\\é²\n\t%")), max_size=12) | st.text(max_size=300)


@given(names)
def test_every_name_is_written_as_one_that_mlflow_takes(name: str) -> None:
    written = key(name)
    validation._validate_param(written, "value")
    validation._validate_metric(written, 1.0, 0, 0)
    assert key(written) == written


@given(names.filter(lambda name: name != "" and not name.endswith("\n")))
def test_a_name_is_a_problem_exactly_where_mlflow_refuses_it(name: str) -> None:
    try:
        validation._validate_param(name, "value")
    except MlflowException:
        assert problems({name: 1})
    else:
        assert not problems({name: 1})
        assert key(name) == name


@given(names, names)
def test_two_names_are_never_written_as_one(one: str, other: str) -> None:
    assert (key(one) == key(other)) == (one == other)


def test_problems_name_the_parameter_the_limit_and_the_way_out() -> None:
    found = problems({"ok": 1, "k" * 251: 1, "a?b": 1, "a//b": 1, "long": "x" * 6001, "fits": "x" * 6000})
    assert len(found) == 4
    assert "251 characters; MLflow stores at most 250" in found[0]
    assert "'a?b'" in found[1]
    assert "'a//b'" in found[2]
    assert "6001 characters as text; MLflow stores at most 6000" in found[3]


def test_a_result_equal_to_the_last_report_is_not_written_twice() -> None:
    child = sample_child(0)
    points = child_points(child)
    assert len(points) == len(set(points))
    last = latest(points)["loss"]
    assert (last.value, last.step) == (0.25, 3)
    same = type(child)(**{f: getattr(child, f) for f in child.__slots__} | {"metrics": {"loss": 1 / 3}})
    assert [one.value for one in child_points(same) if one.key == "loss"] == [1.0, 0.5, 1 / 3]


def test_the_family_is_imported_without_mlflow() -> None:
    code = "import sys, sparkml_track.trackers; sys.exit('mlflow' in sys.modules or 'sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
