from __future__ import annotations

import math
from random import Random
from time import perf_counter

import pytest

from sparkml_track import pruners
from sparkml_track.errors import SpecError


def test_none_and_pruners_are_given_back() -> None:
    made = pruners.MedianPruner()
    assert pruners.build(None, seed=0) is None
    assert pruners.build(made, seed=0) is made


def test_options_are_those_of_the_class() -> None:
    made = pruners.build({"asha": {"min_steps": 4, "reduction": 2}}, seed=0)
    assert made is not None
    assert [made.report(0, 4, 1.0), made.report(1, 3, 9.0), made.report(1, 4, 9.0)] == [False, False, True]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("medain", "pruner 'medain' is unknown; allowed: .*Did you mean 'median'"),
        (3, "pruner is 3; give None, a name"),
        ({"median": 3}, "give None, a name"),
        ({"asha": {"eta": 3}}, "option 'eta' of pruner 'asha' is unknown; allowed: 'min_steps', 'reduction'"),
        ({"asha": {"reduction": 1}}, "option 'reduction' of pruner 'asha' is 1; allowed: whole numbers from 2"),
        ({"asha": {"min_steps": True}}, "'min_steps' of pruner 'asha' is True"),
        ({"percentile": {"percentile": 101}}, "allowed: numbers from 0 to 100"),
        ({"percentile": {"percentile": "x"}}, "allowed: numbers from 0 to 100"),
        ({"median": {"interval_steps": 0}}, "'interval_steps' of pruner 'median' is 0"),
        ({"hyperband": {"max_steps": "x"}}, "allowed: 'auto' and whole numbers"),
        ({"hyperband": {"seed": 3}}, "option 'seed' of pruner 'hyperband' is unknown"),
        ({"hyperband": {"bootstrap": 2}}, "0 while max_steps is 'auto'"),
        ({"patience": {"min_delta": math.nan}}, "'min_delta' of pruner 'patience' is nan"),
        ({"patience": {"pruner": "medain"}}, "Did you mean 'median'"),
        ("threshold", "give one or both"),
        ({"threshold": {"lower": 2, "upper": 1}}, "numbers of at least lower"),
    ],
)
def test_wrong_settings_are_refused_by_name(spec: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        pruners.build(spec, seed=0)


def test_all_wrong_settings_come_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        pruners.AshaPruner(0, 1, -1, -1)
    assert len(caught.value.problems) == 4


def test_the_bounds_of_a_threshold_are_as_the_objective_reports() -> None:
    made = pruners.build({"threshold": {"lower": 0.5}}, seed=0, maximize=True)
    assert made is not None
    assert not made.report(0, 0, -0.6)
    assert made.report(0, 1, -0.4)


def test_hyperband_has_as_many_brackets_as_the_paper() -> None:
    # floor(log_3(243)) + 1; floating-point logarithms give one less.
    made = pruners.HyperbandPruner(1, 243, 3)
    assert len(made._brackets) == 6
    assert {id(made._bracket(trial)) for trial in range(500)} == {id(bracket) for bracket in made._brackets}


@pytest.mark.parametrize(
    "spec",
    [
        "median",
        "asha",
        {"hyperband": {"max_steps": 30}},
        "patience",
        {"threshold": {"upper": 1e9}},
        {"patience": {"pruner": "percentile"}},
    ],
    ids=str,
)
def test_a_report_costs_microseconds_after_ten_thousand_trials(spec: object) -> None:
    made = pruners.build(spec, seed=0)
    assert made is not None
    rng = Random(0)
    for trial in range(10_000):
        for step in range(5):
            made.report(trial, step, rng.random())
        made.ended(trial, finished=trial % 2 == 0)
    best = math.inf
    for trial in range(10_000, 10_020):
        start = perf_counter()
        for step in range(50):
            made.report(trial, step, rng.random())
        best = min(best, (perf_counter() - start) / 50)
        made.ended(trial, finished=True)
    assert best < 50e-6
