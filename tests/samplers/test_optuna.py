from __future__ import annotations

import math
from random import Random

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as some
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from sparkml_track import space as sp
from sparkml_track.errors import SpaceError
from sparkml_track.samplers import build
from sparkml_track.samplers._optuna import OptunaSampler
from sparkml_track.samplers._optuna_space import from_optuna, ours, theirs, to_optuna
from sparkml_track.trial import State

ALL = sp.parse(
    {
        "u": sp.uniform(-1, 2),
        "lu": sp.loguniform(1e-3, 10),
        "qu": sp.quniform(0.25, 9.75, 0.1),
        "qi": sp.quniform(3, 100, 10),
        "ql": sp.qloguniform(3, 100, 5),
        "n": sp.normal(5, 2),
        "ln": sp.lognormal(0, 1),
        "r": sp.randint(2, 7),
        "m": sp.choice({"k": "a"}, {"k": "b", "d": sp.randint(0, 3)}, sp.uniform(0, 1), None),
    }
)
LINE = sp.parse({"x": sp.uniform(0, 1)})


@given(some.integers(0, 10**6))
def test_decisions_go_to_optuna_and_come_back(seed: int) -> None:
    for key, decision in ALL.encode(ALL.sample(Random(seed))).items():
        what = ALL.leaves[key].what
        shown = theirs(what, decision)
        assert to_optuna(what)._contains(to_optuna(what).to_internal_repr(shown))
        back = ours(what, shown)
        if isinstance(what, sp.Normal):  # by the quantile, which rounds
            assert back == pytest.approx(decision, rel=1e-6, abs=1e-6)
        else:
            assert back == decision
            assert type(back) is type(decision)


def test_optunas_distributions_become_a_space() -> None:
    space = from_optuna(
        {
            "f": FloatDistribution(0, 1),
            "l": FloatDistribution(0.1, 1, log=True),
            "s": FloatDistribution(0, 1, step=0.25),
            "i": IntDistribution(2, 9),
            "is": IntDistribution(2, 8, step=2),
            "il": IntDistribution(1, 64, log=True),
            "c": CategoricalDistribution(["a", None, 3]),
        }
    )
    assert space == sp.parse(
        {
            "f": sp.uniform(0.0, 1.0),
            "l": sp.loguniform(0.1, 1.0),
            "s": sp.quniform(0.0, 1.0, 0.25),
            "i": sp.randint(2, 10),
            "is": sp.quniform(2, 8, 2),
            "il": sp.qloguniform(1, 64, 1),
            "c": sp.choice("a", None, 3),
        }
    )
    assert build("optuna-tpe", {"f": FloatDistribution(0, 1)}, seed=0).ask(0).keys() == {"f"}  # type: ignore[union-attr]


def test_what_has_no_counterpart_is_refused() -> None:
    with pytest.raises(SpaceError, match="a step must divide"):
        from_optuna({"x": IntDistribution(1, 9, step=2)})
    with pytest.raises(SpaceError, match="not dict"):
        build("optuna-tpe", {"x": 3}, seed=0)


def states(sampler: object) -> list[TrialState]:
    assert isinstance(sampler, OptunaSampler)
    return [trial.state for trial in sampler._study.trials]


def test_every_end_is_told_as_optuna_expects() -> None:
    sampler = build("optuna-tpe", LINE, seed=0)
    asked = [sampler.ask(number) or {} for number in range(5)]
    for number, (state, values) in enumerate(
        [
            (State.FINISHED, [1.0]),
            (State.PRUNED, [2.0]),
            (State.PRUNED, []),
            (State.FAILED, []),
        ]
    ):
        sampler.tell(number, asked[number], state, values)
    sampler.tell(-1, {"x": 0.25}, State.FINISHED, [-1.0])
    sampler.tell(-2, {"x": 0.75}, State.PRUNED, [9.0])
    assert states(sampler) == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.FAIL,
        TrialState.RUNNING,
        TrialState.COMPLETE,
        TrialState.PRUNED,
    ]
    assert sampler._study.best_value == -1.0  # type: ignore[attr-defined]
    assert sampler._study.trials[1].value == 2.0  # type: ignore[attr-defined]


def test_a_noted_trial_runs_in_the_study() -> None:
    sampler = build("optuna-tpe", LINE, seed=0)
    sampler.note(0, {"x": 0.25})
    assert states(sampler) == [TrialState.RUNNING]
    sampler.tell(0, {"x": 0.25}, State.FINISHED, [1.0])
    assert states(sampler) == [TrialState.COMPLETE]


def test_suggestions_are_those_of_the_library() -> None:
    """One at a time, with the same seed, on a flat space."""
    space = sp.parse({"x": sp.uniform(0, 1), "lr": sp.loguniform(1e-3, 1), "d": sp.randint(1, 9)})
    sampler = build("optuna-tpe", space, seed=11)

    def loss(x: float, lr: float, d: int) -> float:
        return (x - 0.3) ** 2 + math.log(lr) ** 2 + d

    def objective(trial: optuna.Trial) -> float:
        x, lr = trial.suggest_float("x", 0, 1), trial.suggest_float("lr", 1e-3, 1, log=True)
        return loss(x, lr, trial.suggest_int("d", 1, 8))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=11))
    study.optimize(objective, n_trials=40)
    for number, trial in enumerate(study.trials):
        params = sampler.ask(number)
        assert params == trial.params
        sampler.tell(number, params, State.FINISHED, [trial.value or 0.0])


def test_making_a_sampler_leaves_optunas_logging_as_it_was() -> None:
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    build({"optuna-tpe": {"multivariate": True, "group": True}}, LINE, seed=0)
    assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    optuna.logging.set_verbosity(optuna.logging.WARNING)
