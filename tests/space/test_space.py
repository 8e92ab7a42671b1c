from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from sparkml_track import space as sp
from sparkml_track.errors import SpaceError

FOREST = {"kind": "forest", "depth": sp.randint(2, 20)}
BOOST = {"kind": "boost", "depth": sp.randint(1, 5), "rate": sp.loguniform(0.01, 1)}
FULL = {
    "lr": sp.loguniform(1e-4, 1),
    "model": sp.choice({"kind": "linear"}, FOREST, BOOST),
    "layers": sp.choice((64, 64), [32]),
    "features": sp.choice(1, 1.0, "sqrt", None, True, sp.uniform(2, 3)),
    "opt": {"name": "sgd", "momentum": sp.quniform(0, 1, 0.1)},
    "trees": sp.qloguniform(10, 1000, 10),
    "shift": sp.normal(0, 2),
    "scale": sp.lognormal(1, 0.5),
    "extra": sp.choice({}, {"on": True}),
    "epochs": 10,
}

low_high = some.tuples(some.floats(-1e6, 1e6), some.floats(1e-3, 1e6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
positive = some.tuples(some.floats(1e-6, 1e3), some.floats(1.001, 1e3)).map(lambda pair: (pair[0], pair[0] * pair[1]))
steps = some.sampled_from([1, 2, 10, 0.1, 0.25, 0.5])
distributions = some.one_of(
    low_high.map(lambda pair: sp.uniform(*pair)),
    positive.map(lambda pair: sp.loguniform(*pair)),
    some.tuples(some.integers(-50, 50), some.integers(10, 90), steps).map(
        lambda t: sp.quniform(t[0], t[0] + t[1], t[2])
    ),
    some.tuples(some.integers(1, 50), some.integers(10, 90), steps).map(
        lambda t: sp.qloguniform(t[0], t[0] + t[1], t[2])
    ),
    some.tuples(some.floats(-50, 50), some.floats(0.01, 20)).map(lambda t: sp.normal(*t)),
    some.tuples(some.floats(-50, 50), some.floats(0.01, 20)).map(lambda t: sp.lognormal(*t)),
    some.tuples(some.integers(-1000, 1000), some.integers(1, 1000)).map(lambda t: sp.randint(t[0], t[0] + t[1])),
)
plain = some.one_of(
    some.none(), some.booleans(), some.integers(-9, 9), some.floats(-9, 9), some.text(max_size=3), some.just((1, 2))
)
names = some.sampled_from(["a", "b", "c", "lr", "max depth", "n_x"])


def nested(inner: some.SearchStrategy[object]) -> some.SearchStrategy[object]:
    return some.one_of(
        some.dictionaries(names, inner, max_size=3),
        some.lists(inner, min_size=1, max_size=3).map(lambda options: sp.choice(*options)),
    )


nodes = some.recursive(some.one_of(distributions, plain), nested, max_leaves=8)
spaces = some.dictionaries(names, nodes, min_size=1, max_size=4).map(sp.parse)
units = some.floats(0, 1, exclude_max=True)


@given(spaces, some.integers(0, 10**9))
def test_flattening_keeps_a_point_and_unflattening_brings_it_back(space: sp.Space, seed: int) -> None:
    params = space.sample(Random(seed))
    flat = space.flatten(params)
    assert space.contains(params)
    assert space.flatten(space.unflatten(flat)) == flat
    assert set(flat) <= set(space.names)


@given(spaces, some.integers(0, 10**9))
def test_a_point_survives_json(space: sp.Space, seed: int) -> None:
    params = space.sample(Random(seed))
    assert json.loads(json.dumps(params)) == params


@given(spaces)
def test_the_spec_gives_the_space_again(space: sp.Space) -> None:
    again = sp.parse(json.loads(json.dumps(space.spec())))
    assert again == space
    assert again.fingerprint() == space.fingerprint()
    assert pickle.loads(pickle.dumps(space)) == space


@given(distributions, units)
def test_a_quantile_is_a_value_of_its_distribution(distribution: sp.Distribution, u: float) -> None:
    assert not distribution.problems()
    value = distribution.quantile(u)
    assert distribution.contains(value)
    assert distribution.coerce(value) == value
    assert type(distribution.coerce(value)) is type(value)


@given(distributions, units, units)
def test_quantiles_rise(distribution: sp.Distribution, u: float, v: float) -> None:
    assert distribution.quantile(min(u, v)) <= distribution.quantile(max(u, v))


@given(distributions.filter(lambda d: d.size is not None))
def test_countable_values_are_all_different_and_inside(distribution: sp.Distribution) -> None:
    assert distribution.size is not None
    values = [distribution.at(index) for index in range(distribution.size)]
    assert values == sorted(set(values))
    assert all(map(distribution.contains, values))


def test_a_point_is_told_apart_by_type_and_by_shape() -> None:
    space = sp.parse(FULL)
    base = space.sample(Random(0))
    for index, value in enumerate([1, 1.0, "sqrt", None, True, 2.5]):
        assert space.encode({**base, "features": value})["features"] == index
    assert space.encode({**base, "model": {"kind": "forest", "depth": 4}})["model"] == 1
    assert space.encode({**base, "model": {"kind": "boost", "depth": 4, "rate": 0.1}})["model[2].depth"] == 4
    assert space.encode({**base, "extra": {"on": True}})["extra"] == 1


def test_a_given_point_may_be_flat_and_leave_constants_out() -> None:
    space = sp.parse({"model": sp.choice({"kind": "linear"}, FOREST), "opt": {"rate": sp.uniform(0, 1)}, "epochs": 10})
    expected = {"model": {"kind": "forest", "depth": 7}, "opt": {"rate": 0.5}, "epochs": 10}
    assert space.from_point({"model.depth": 7, "opt.rate": 0.5}) == expected
    assert space.from_point({"model": {"kind": "forest", "depth": 7.0}, "opt": {"rate": 0.5}}) == expected


def test_a_wrong_point_is_refused_with_all_problems() -> None:
    space = sp.parse(FULL)
    base = space.sample(Random(0))
    with pytest.raises(SpaceError) as caught:
        space.from_point({**base, "LR": 1, "lr": 7, "model": {"kind": "forest", "depth": 99}, "epochs": 11})
    assert len(caught.value.problems) == 4
    text = str(caught.value)
    assert "'lr' is 7; allowed: loguniform(0.0001, 1)" in text
    assert "'model.depth' is 99; allowed: randint(2, 20)" in text
    assert "'epochs' is 11; allowed: 10" in text
    assert "'LR' is unknown. Did you mean 'lr'?" in text


def test_a_missing_decision_is_named() -> None:
    with pytest.raises(SpaceError, match="'a' is missing"):
        sp.parse({"a": sp.uniform(0, 1), "b": 1}).from_point({"b": 1})
    with pytest.raises(SpaceError, match="'m' is missing"):
        sp.parse({"m": sp.choice({"kind": "x"}, {"kind": "y"})}).from_point({})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a": sp.uniform(math.nan, 1)}, "low is nan and must be a finite number"),
        ({"a": sp.uniform(0, math.inf)}, "high is inf"),
        ({"a": sp.uniform(-1e308, 1e308)}, "overflows"),
        ({"a": sp.uniform(2, 1)}, "low 2 must be below high 1"),
        ({"a": sp.uniform("x", 1)}, "low is 'x'"),  # type: ignore[arg-type]
        ({"a": sp.loguniform(0, 1)}, "must be above 0"),
        ({"a": sp.qloguniform(-1, 1, 1)}, "must be above 0"),
        ({"a": sp.quniform(0, 1, 0)}, "q is 0"),
        ({"a": sp.quniform(0, 1, math.nan)}, "q is nan"),
        ({"a": sp.quniform(0.2, 0.9, 1)}, "no multiple of q"),
        ({"a": sp.normal(0, 0)}, "std is 0"),
        ({"a": sp.normal(math.inf, 1)}, "mean is inf"),
        ({"a": sp.lognormal(700, 100)}, "of the logarithm"),
        ({"a": sp.randint(0.5, 3)}, "low is 0.5 and must be a whole number"),  # type: ignore[arg-type]
        ({"a": sp.randint(3, 3)}, "low 3 must be below high 3"),
        ({"a": sp.randint(0, 2**70)}, "63 bits"),
        ({"a": sp.choice()}, "no options"),
        ({"a": sp.choice(range(3))}, r"for one option each, unpack it: choice\(\*range\(0, 3\)\)"),
        ({"a": sp.choice({1, 2})}, r"unpack it: choice\(\*options\)"),
        ({"a": sp.choice(dict, list)}, r"choice\('a', 'b'\), and look up in the objective"),
        ({"class_weight": sp.choice({0: 1, 1: 5})}, r"not 0; give names as options, choice\('a', 'b'\), and look up"),
        ({"a": {"choice": []}}, "no options"),
        ({"a": {"uniform": [1]}}, "uniform takes a list of 2 numbers"),
        ({"a": {"uniform": 3}}, "uniform takes a list of 2 numbers"),
        ({"a": {"logunifrom": [1, 2]}}, "Did you mean 'loguniform'"),
        ({"a": sp.choice({"b": sp.uniform(2, 1)})}, r"'a\[0\].b'"),
        ({"a.b": 1}, "no dots"),
        ({3: 1}, "no dots; not 3"),
        ({"": 1}, "a name is text"),
        ({"a": object()}, "type builtins.object is not allowed"),
        ({"a": math.nan}, "nan is not allowed"),
        ({"a": np.zeros(2)}, "numpy.ndarray is not allowed"),
        ({"a": [1, {2}]}, "builtins.set is not allowed"),
        ({}, "empty"),
        ([1], "a space is a mapping"),
    ],
)
def test_a_wrong_space_is_refused_by_name(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        sp.parse(wrong)


def test_all_problems_of_a_space_come_at_once() -> None:
    with pytest.raises(SpaceError) as caught:
        sp.parse({"a": sp.uniform(2, 1), "b": sp.choice({"c": sp.quniform(0, 1, 0)}), "d.e": 1})
    assert len(caught.value.problems) == 3


def test_a_space_that_holds_itself_is_refused() -> None:
    loop: dict[str, object] = {}
    loop["a"] = loop
    with pytest.raises(SpaceError, match="nested deeper"):
        sp.parse(loop)


def test_the_yaml_form_is_the_python_form() -> None:
    written = {
        "lr": {"loguniform": ["1e-4", 1]},  # how YAML 1.1 reads it
        "model": {"choice": [{"kind": "linear"}, {"kind": "forest", "depth": {"randint": [2, 20]}}]},
        "epochs": 10,
    }
    made = {"lr": sp.loguniform(1e-4, 1), "model": sp.choice({"kind": "linear"}, FOREST), "epochs": 10}
    assert sp.parse(written) == sp.parse(made)


def test_numpy_values_become_plain() -> None:
    space = sp.parse({"a": np.float64(0.5), "b": np.int64(3), "c": np.bool_(True), "d": np.str_("x")})
    assert [type(value) for value in space.sample(Random(0)).values()] == [float, int, bool, str]
    assert sp.uniform(np.float32(0), np.int64(2)) == sp.uniform(0.0, 2)


def test_whole_steps_give_ints_and_decimal_steps_give_short_floats() -> None:
    assert [sp.quniform(0, 30, 10).quantile(u) for u in (0, 0.2, 0.5, 0.99)] == [0, 10, 20, 30]
    assert isinstance(sp.qloguniform(10, 100, 10).quantile(0.5), int)
    assert sp.quniform(0, 1, 0.1).at(3) == 0.3
    assert sp.quniform(0.4, 10, 1).quantile(0) == 1


def test_quantiles_are_those_of_scipy() -> None:
    from scipy import stats

    for u in (0.001, 0.3, 0.51, 0.9):
        assert sp.uniform(-1, 3).quantile(u) == pytest.approx(stats.uniform(-1, 4).ppf(u))
        assert sp.loguniform(0.1, 10).quantile(u) == pytest.approx(stats.loguniform(0.1, 10).ppf(u))
        assert sp.normal(2, 3).quantile(u) == pytest.approx(stats.norm(2, 3).ppf(u))
        assert sp.lognormal(1, 0.5).quantile(u) == pytest.approx(stats.lognorm(0.5, scale=math.e).ppf(u))
        assert sp.randint(3, 9).quantile(u) == stats.randint(3, 9).ppf(u)


def test_size_counts_points_or_is_unknown() -> None:
    assert sp.parse({"a": sp.choice(1, 2), "b": sp.randint(0, 5), "c": sp.quniform(0, 1, 0.25)}).size == 50
    assert sp.parse({"m": sp.choice({"k": 1}, {"k": 2, "d": sp.randint(0, 3)})}).size == 4
    assert sp.parse({"m": sp.choice(1, sp.uniform(0, 1))}).size is None


def test_the_same_seed_gives_the_same_point() -> None:
    space = sp.parse(FULL)
    assert space.sample(Random(5)) == space.sample(Random(5)) != space.sample(Random(6))


def test_leaves_name_their_conditions() -> None:
    leaves = sp.parse({"model": sp.choice({"kind": "linear"}, FOREST)}).leaves
    assert leaves["model[1].depth"] == sp.Leaf("model[1].depth", "model.depth", sp.randint(2, 20), (("model", 1),))


def test_fingerprints_are_pinned_across_releases() -> None:
    assert sp.parse({"lr": sp.loguniform(1e-4, 1), "m": sp.choice(1, "a")}).fingerprint() == "353cbab9a002aef4"


def test_floor_zero_needs_only_the_standard_library() -> None:
    code = "import sys, sparkml_track.space; sys.exit(any(m in sys.modules for m in ('numpy', 'hyperopt', 'optuna')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
