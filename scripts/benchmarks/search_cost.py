"""What a proposal and a report cost the driver, beside hyperopt's and Optuna's own, by the number of trials so far.

Medians of fifteen proposals, each told before the next; means over reports. Three numbers of the space are continuous
and one is whole, which ours searches in its order ("tpe") and hyperopt's randint as categories without an order.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from search_problems import for_hyperopt, for_us

from sparkml_track import pruners, samplers
from sparkml_track.space import parse
from sparkml_track.trial import State

__all__ = ["asks", "reports"]

Row = dict[str, Any]
_SPACE = {"rate": ("log", 1e-4, 1.0), "depth": ("int", 2, 12), "share": ("lin", 0.1, 1.0), "l2": ("log", 1e-6, 10.0)}
_STEPS = 10
_ASKS = 15
_PRUNERS: dict[str, Any] = {
    "median": "median",
    "percentile": {"percentile": {"percentile": 25.0}},
    "asha": "asha",
    "hyperband": {"hyperband": {"max_steps": _STEPS}},
    "patience": "patience",
    "threshold": {"threshold": {"upper": 10.0}},
}


def asks(sizes: list[int]) -> Iterator[Row]:
    """Milliseconds for one proposal once so many trials have ended."""
    warnings.simplefilter("ignore")
    beside = {"tpe": ("hyperopt", _hyperopt_ask), "optuna-tpe": ("Optuna", _optuna_ask)}
    for size in sizes:
        yield {"what": "ask", "member": "random", "trials": size, "ours_ms": _our_ask("random", size)}
        for name, (library, ask) in beside.items():
            row: Row = {"what": "ask", "member": name, "library": library, "trials": size}
            yield {**row, "ours_ms": _our_ask(name, size), "theirs_ms": ask(size)}


def _our_ask(name: str, size: int) -> float:
    space = parse(for_us(_SPACE))
    sampler, rng = samplers.build(name, space, seed=1), Random(1)
    for number in range(size):
        sampler.tell(number, space.sample(rng), State.FINISHED, (rng.random(),))

    def ask(number: int) -> None:
        params = sampler.ask(size + number)
        assert params is not None
        sampler.tell(size + number, params, State.FINISHED, (rng.random(),))

    return _median_ms(ask, _ASKS)


def _hyperopt_ask(size: int) -> float:
    import hyperopt

    rng = Random(1)
    domain = hyperopt.base.Domain(lambda _: 0.0, for_hyperopt(_SPACE))
    trials = hyperopt.Trials()

    def insert(documents: list[Any]) -> None:
        """As fmin does once they have ended."""
        for each in documents:
            each["state"], each["result"] = hyperopt.JOB_STATE_DONE, {"status": "ok", "loss": rng.random()}
        trials.insert_trial_docs(documents)
        trials.refresh()

    insert(hyperopt.rand.suggest(list(range(size)), domain, trials, 1))
    return _median_ms(lambda number: insert(hyperopt.tpe.suggest([size + number], domain, trials, number)), _ASKS)


def _optuna_ask(size: int) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rng, distributions = Random(1), _distributions()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    for _ in range(size):
        params = {name: _draw(rng, each) for name, each in distributions.items()}
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=rng.random()))

    def ask(_: int) -> None:
        study.tell(study.ask(distributions), rng.random())

    return _median_ms(ask, _ASKS)


def _distributions() -> dict[str, Any]:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(low, high) if kind == "int" else FloatDistribution(low, high, log=kind == "log")
        for name, (kind, low, high) in _SPACE.items()
    }


def _draw(rng: Random, distribution: Any) -> Any:
    if type(distribution).__name__ == "IntDistribution":
        return rng.randint(distribution.low, distribution.high)
    return rng.uniform(distribution.low, distribution.high)


def _median_ms(call: Callable[[int], object], times: int) -> float:
    seconds = []
    for number in range(times):
        began = time.perf_counter()
        call(number)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


# -- reports


def reports(size: int) -> Iterator[Row]:
    """Microseconds for one report once so many trials have reported ten steps each."""
    for name, pruner in _PRUNERS.items():
        row: Row = {"what": "report", "member": name, "trials": size, "ours_us": _our_report(pruner, size)}
        yield row | {"theirs_us": _optuna_report(name, size)}


def _our_report(pruner: object, size: int) -> float:
    made, rng = pruners.build(pruner, seed=1), Random(1)
    assert made is not None
    seconds = []
    for trial in range(size + 100):
        for step in range(1, _STEPS + 1):
            value = rng.random()
            began = time.perf_counter()
            stop = made.report(trial, step, value)
            if trial >= size:
                seconds.append(time.perf_counter() - began)
            if stop:
                break
        made.ended(trial, finished=not stop)
    return statistics.mean(seconds) * 1e6


def _optuna_report(name: str, size: int) -> float:
    """``report`` and ``should_prune`` of Optuna, in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")
    kinds = {
        "median": optuna.pruners.MedianPruner,
        "percentile": lambda: optuna.pruners.PercentilePruner(25.0),
        "asha": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=_STEPS),
        "patience": lambda: optuna.pruners.PatientPruner(None, patience=5),
        "threshold": lambda: optuna.pruners.ThresholdPruner(upper=10.0),
    }
    study = optuna.create_study(pruner=kinds[name](), sampler=optuna.samplers.RandomSampler(1))
    rng = Random(1)
    for _ in range(size):
        values = {step: rng.random() for step in range(1, _STEPS + 1)}
        study.add_trial(optuna.create_trial(value=values[_STEPS], intermediate_values=values))
    seconds = []
    for _ in range(5):
        trial = study.ask()
        for step in range(1, _STEPS + 1):
            began = time.perf_counter()
            trial.report(rng.random(), step)
            stop = trial.should_prune()
            seconds.append(time.perf_counter() - began)
            if stop:
                break
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    return statistics.mean(seconds) * 1e6
