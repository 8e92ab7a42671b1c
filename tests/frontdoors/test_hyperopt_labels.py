"""What is recorded of points in hyperopt's expressions, and the way back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hyperopt import Domain, Trials, hp, rand
from hyperopt.base import spec_from_misc
from hyperopt.pyll import as_apply, scope
from hypothesis import given, settings
from hypothesis import strategies as some

from sparkml_track.frontdoors._hyperopt.labels import Labels
from sparkml_track.frontdoors._hyperopt.objective import Objective


class Model:
    """Without a repr of its own."""


def labels(space: object) -> Labels:
    return Labels(as_apply(space))


def forms(*options: object) -> list[object]:
    """What is recorded of the options of a choice."""
    made = labels(hp.choice("c", list(options)))
    return [made.recorded({"c": index})["c"] for index in range(len(options))]


def test_plain_options_are_recorded_as_they_are() -> None:
    assert forms("a", 1, 1.5, True, None) == ["a", 1, 1.5, True, None]
    assert forms((1, 2), ["x", None]) == [[1, 2], ["x", None]]


def test_options_that_are_mappings_are_recorded_without_what_is_drawn() -> None:
    assert forms({"kind": "svm", "C": hp.uniform("C", 0, 1)}, {"kind": "tree", "deep": {"n": 1}}) == [
        {"kind": "svm"},
        {"kind": "tree", "deep": {"n": 1}},
    ]


def test_options_that_are_drawn_are_recorded_by_their_labels() -> None:
    assert forms(hp.uniform("a", 0, 1), ("case 1", 1 + hp.uniform("b", 0, 1)), {"C": hp.uniform("C", 0, 1)}) == [
        "a",
        "pos_args('case 1', add(1, b))",
        "dict(C=C)",
    ]


def test_objects_are_recorded_by_name_type_or_repr() -> None:
    assert forms(math.sqrt, Model(), {1}, labels) == [
        "math.sqrt",
        f"{__name__}.Model",
        "{1}",
        f"{__name__}.labels",
    ]


def test_different_options_have_different_forms() -> None:
    assert forms(Model(), Model()) == [f"{__name__}.Model (option 0)", f"{__name__}.Model (option 1)"]
    long = "y" * 400
    assert len(set(forms(long + "a", long + "b"))) == 2
    assert len({json.dumps(form) for form in forms(1, 1.0, True, "1")}) == 4
    assert forms(3, 3) == [3, 3], "which one is taken makes no difference"


def test_names_are_what_mlflow_takes_and_stay_different() -> None:
    made = labels({"a": hp.uniform("lr (log)", 0, 1), "b": hp.uniform("lr [log]", 0, 1), "c": hp.uniform("x", 0, 1)})
    assert sorted(made.names) == ["lr (log)", "lr [log]", "x"]
    assert len(set(made.names.values())) == 3
    assert all("(" not in name and "[" not in name for name in made.names.values())
    assert made.names["x"] == "x"


def test_the_space_is_described_by_label() -> None:
    made = labels(
        {"x": hp.uniform("x", -1, 2), "n": scope.int(hp.quniform("n", 1, 9, 2)), "c": hp.choice("c", ["a", 1])}
    )
    assert made.space().spec() == {"x": "uniform(-1, 2)", "n": "quniform(1, 9, 2)", "c": "choice(a, 1)"}


def test_labels_that_the_space_does_not_have_are_left_out() -> None:
    assert labels({"x": hp.uniform("x", 0, 1)}).recorded({"x": 0.5, "gone": 1}) == {"x": 0.5}


EVERY = {
    "u": hp.uniform("u", -1, 2),
    "i": hp.randint("i", 3, 9),
    "q": scope.int(hp.quniform("q", 1, 9, 1)),
    "p": hp.pchoice("p", [(0.4, "a"), (0.6, {"g": hp.lognormal("g", 0, 1)})]),
    "m": hp.choice(
        "m", [None, Model, {"k": "x", "e": hp.choice("e", [0, hp.uniform("f", 0, 1), hp.uniform("h", 0, 1)])}]
    ),
    "t": (hp.normal("n", 0, 1), [hp.choice("s", [(1, 2), (1, 3)])]),
}


@given(some.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=40)
def test_what_is_recorded_leads_back_to_the_point(seed: int) -> None:
    domain = Domain(lambda point: 0.0, EVERY)
    made = Labels(domain.expr)
    (document,) = rand.suggest([0], domain, Trials(), seed)
    values = spec_from_misc(document["misc"])
    sent: Any = json.loads(json.dumps(made.recorded(values)))
    assert Objective(domain, made.names, made.options).values(sent) == values


@pytest.mark.parametrize("space", [hp.uniform("x", 0, 1), [hp.uniform("x", 0, 1)], {"a": {"b": hp.uniform("x", 0, 1)}}])
def test_spaces_of_any_shape_are_recorded_by_label(space: object) -> None:
    assert labels(space).recorded({"x": 0.25}) == {"x": 0.25}
