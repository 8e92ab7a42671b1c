from __future__ import annotations

import math
from random import Random

import pytest
from hyperopt import Domain, Trials, anneal, hp, space_eval, tpe
from hyperopt.base import JOB_STATE_DONE
from hypothesis import given, settings
from hypothesis import strategies as some

from sparkml_track import space as sp
from sparkml_track.errors import SpaceError
from sparkml_track.samplers import build
from sparkml_track.samplers._hyperopt import TpeSampler
from sparkml_track.samplers._hyperopt_space import SpaceLabels
from sparkml_track.samplers._unfinished import seed_of
from sparkml_track.trial import State

ALL = sp.parse(
    {
        "u": sp.uniform(-1, 2),
        "lu": sp.loguniform(1e-3, 10),
        "qu": sp.quniform(0.25, 9.75, 0.5),
        "ql": sp.qloguniform(3, 100, 5),
        "n": sp.normal(5, 2),
        "ln": sp.lognormal(0, 1),
        "r": sp.randint(2, 7),
        "m": sp.choice({"k": "a"}, {"k": "b", "d": sp.randint(0, 3)}, sp.uniform(0, 1), None),
        "c": [1, 2],
    }
)
LABELS = SpaceLabels(ALL)
EVERY = {
    "u": hp.uniform("u", -1, 2),
    "qu": hp.quniform("qu", 0, 10, 3),
    "lu": hp.loguniform("lu", -5, 0),
    "ql": hp.qloguniform("ql", 0, 4, 5),
    "n": hp.normal("n", 5, 2),
    "qn": hp.qnormal("qn", 0, 20, 4),
    "ln": hp.lognormal("ln", 0, 1),
    "qln": hp.qlognormal("qln", 1, 1, 2),
    "i": hp.uniformint("i", 1, 8),
    "r": hp.randint("r", 12),
    "m": hp.choice("m", ["a", {"d": hp.randint("d", 2, 6), "e": hp.choice("e", [0, hp.quniform("f", 0, 1, 0.25)])}]),
    "p": hp.pchoice("p", [(0.2, "b"), (0.8, hp.lognormal("g", 0, 1))]),
}
EXPRESSION = {"lr": hp.loguniform("lr", -5, 0), "m": hp.choice("m", ["a", {"d": hp.randint("d", 2, 6)}])}


@given(some.integers(0, 10**6))
@settings(deadline=None)
def test_points_go_to_hyperopt_and_come_back(seed: int) -> None:
    labels = LABELS
    params = ALL.sample(Random(seed))
    assert labels.params(labels.values(params)) == params


@given(some.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_what_hyperopt_draws_is_of_the_space(seed: int) -> None:
    assert ALL.contains(build("tpe", ALL, seed=seed).ask(0) or {})


def test_random_start_has_the_distribution_of_the_space() -> None:
    sampler = build("tpe", ALL, seed=1)
    points = [sampler.ask(number) or {} for number in range(600)]
    assert {point["r"] for point in points} == set(range(2, 7))
    assert all(90 < sum(point["r"] == value for point in points) < 150 for value in range(2, 7))
    assert 0.4 < sum(point["lu"] < 0.1 for point in points) / 600 < 0.6  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "algorithm", "expression", "count"),
    [
        ("tpe", tpe, EXPRESSION, 60),
        pytest.param("tpe", tpe, EVERY, 150, marks=pytest.mark.slow),
        ("anneal", anneal, EXPRESSION, 60),
    ],
)
def test_suggestions_are_those_of_the_library(name: str, algorithm: object, expression: object, count: int) -> None:
    """Up to 500 trials nothing is left out, and the history is told as fmin would have it."""
    sampler = build(name, expression, seed=7)
    domain, trials = Domain(lambda point: 0, expression), Trials()
    for number in range(count):
        document = algorithm.suggest([number], domain, trials, seed_of(7, number))[0]  # type: ignore[attr-defined]
        values = {label: value[0] for label, value in document["misc"]["vals"].items() if len(value)}
        params = sampler.ask(number)
        assert params == values
        loss = math.sin(number * 7)
        sampler.tell(number, params, State.FINISHED, [loss])
        document |= {"state": JOB_STATE_DONE, "result": {"status": "ok", "loss": loss}}
        trials.insert_trial_doc(document)
        trials.refresh()


def test_a_long_history_costs_no_more_and_keeps_the_best() -> None:
    sampler = build("tpe", sp.parse({"x": sp.uniform(0, 1)}), seed=0)
    assert isinstance(sampler, TpeSampler)
    sampler.tell(0, {"x": 0.123}, State.FINISHED, [-5.0])
    for number in range(1, 2000):
        sampler.tell(number, {"x": number / 2000}, State.FINISHED, [1.0])
    shown = sampler._history.trials().trials
    assert 500 <= len(shown) <= 550
    assert shown[0]["tid"] == 0
    assert [document["tid"] for document in shown] == sorted(document["tid"] for document in shown)


def test_a_long_start_ends_though_not_all_of_the_history_is_shown() -> None:
    sampler = build({"tpe": {"startup": 700}}, sp.parse({"x": sp.uniform(0, 1)}), seed=0)
    at_random = build({"tpe": {"startup": 10_000}}, sp.parse({"x": sp.uniform(0, 1)}), seed=0)
    for number in range(700):
        assert sampler.ask(number) == at_random.ask(number)
        for each in (sampler, at_random):
            each.tell(number, {"x": number / 700}, State.FINISHED, [number / 700])
    assert sampler.ask(700) != at_random.ask(700)


def test_failed_and_killed_trials_do_not_count_as_start() -> None:
    sampler = build({"tpe": {"startup": 5}}, sp.parse({"x": sp.uniform(0, 1)}), seed=0)
    assert isinstance(sampler, TpeSampler)
    for number, state in enumerate([State.FAILED, State.KILLED, State.FINISHED, State.PRUNED]):
        sampler.tell(number, {"x": 0.1}, state, [1.0] if state in {State.FINISHED, State.PRUNED} else [])
    assert sampler._history.total == 2


def test_every_distribution_of_ours_can_be_learned() -> None:
    sampler = build({"tpe": {"startup": 5}}, ALL, seed=5)
    for number in range(40):
        params = sampler.ask(number) or {}
        assert ALL.contains(params)
        sampler.tell(number, params, State.FINISHED, [float(number % 7)])


def test_an_expression_is_searched_as_it_is() -> None:
    sampler = build("tpe", EXPRESSION, seed=0)
    for number in range(30):
        params = sampler.ask(number)
        assert params is not None
        point = space_eval(EXPRESSION, params)
        assert math.exp(-5) <= point["lr"] <= 1
        assert point["m"] == "a" or 2 <= point["m"]["d"] < 6
        sampler.tell(number, params, State.FINISHED, [point["lr"]])


def test_an_expression_is_searched_at_random_by_number() -> None:
    one, two = (build("random", EXPRESSION, seed=3) for _ in range(2))
    every = [one.ask(number) for number in range(10)]
    assert two.ask(7) == every[7]


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(SpaceError, match="no hp"):
        build("tpe", {"x": 3}, seed=0)
    with pytest.raises(SpaceError, match="labels"):
        build("tpe", EXPRESSION, seed=0).tell(0, {"nope": 3}, State.FINISHED, [0.0])
    with pytest.raises(SpaceError, match="takes a space"):
        build("grid", EXPRESSION, seed=0)


def test_tpe_takes_trials_under_way_for_bad_ones() -> None:
    def proposals(told: int, under_way: int) -> list[float]:
        sampler = TpeSampler(sp.parse({"x": sp.uniform(0, 1)}), seed=3, startup=20)
        for number in range(told):
            x = float(sampler.ask(number)["x"])  # type: ignore[index]
            sampler.tell(number, {"x": x}, State.FINISHED, [(x - 0.5) ** 2])
        for number in range(told, told + under_way):
            sampler.note(number, {"x": 0.5})
        return [float(sampler.ask(told + under_way + n)["x"]) for n in range(30)]  # type: ignore[index]

    def near(values: list[float]) -> int:
        return sum(abs(x - 0.5) < 0.05 for x in values)

    # The good ones lie around 0.5; where twenty trials are already at it, others are proposed.
    assert near(proposals(60, 20)) < near(proposals(60, 0))
