"""Quality at equal trials: ours through four slots beside the library, one trial after the other."""

from __future__ import annotations

import logging
import math
import statistics
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from typing import Any

from search_problems import PROBLEMS, Problem, for_hyperopt, for_optuna, for_us

import sparkml_track as st

__all__ = ["LIBRARIES", "compare", "pooled"]

Row = dict[str, Any]
#: Our sampler, and what it is compared with.
LIBRARIES = {"tpe": "hyperopt fmin", "optuna-tpe": "Optuna optimize"}
_SLOTS = 4


def ours(problem: Problem, sampler: str, seed: int) -> tuple[float, float]:
    """The best value of a sweep through four slots, and how many trials ran at one time on average.

    A trial takes 50 to 110 ms, so that four of them are under way while the next one is proposed.
    """
    value = problem.value

    def objective(trial: Any) -> float:
        import time

        time.sleep(0.05 + 0.06 * (trial.seed % 1000) / 1000)
        return value(trial.params)

    result = st.sweep(
        objective,
        for_us(problem.space),
        name="quality",
        sampler=sampler,
        max_trials=problem.trials,
        seed=seed,
        parallelism=_SLOTS,
        executor="processes",
        resume="never",
        tracking=st.Tracking(uri="memory:", child_runs="none"),
        progress=lambda _: None,
    )
    began = min(trial.started for trial in result.trials)
    ended = max(trial.started + trial.duration for trial in result.trials)
    return result.best_value, sum(trial.duration for trial in result.trials) / (ended - began)


def theirs(problem: Problem, sampler: str, seed: int) -> float:
    """The best value of the library's own loop."""
    if sampler == "tpe":
        import hyperopt
        import numpy

        trials = hyperopt.Trials()
        hyperopt.fmin(
            problem.value,
            for_hyperopt(problem.space),
            hyperopt.tpe.suggest,
            problem.trials,
            trials=trials,
            rstate=numpy.random.default_rng(seed),
            show_progressbar=False,
            verbose=False,
        )
        return min(trials.losses())
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(lambda trial: problem.value(for_optuna(trial, problem.space)), problem.trials)
    return float(study.best_value)


def _both(task: tuple[int, str, int]) -> tuple[float, float, float]:
    place, sampler, seed = task
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    problem = PROBLEMS[place]
    best, running = ours(problem, sampler, seed)
    return best - problem.optimum(), theirs(problem, sampler, seed) - problem.optimum(), running


def compare(seeds: int) -> Iterator[Row]:
    """A row for each sampler and problem; two searches run at one time."""
    tasks = list(product(range(len(PROBLEMS)), LIBRARIES, range(seeds)))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        found = pool.map(_both, tasks)
        for (place, sampler), group in _groups(zip(tasks, found, strict=True), seeds):
            mine, other, running = (list(column) for column in zip(*group, strict=True))
            yield {
                "sampler": sampler,
                "problem": PROBLEMS[place].name,
                "trials": PROBLEMS[place].trials,
                "ours": statistics.median(mine),
                "theirs": statistics.median(other),
                "wins": _wins(mine, other),
                "p_worse": _p_worse(mine, other),
                "at_one_time": statistics.mean(running),
                "all": [mine, other],
            }


def _groups(found: Any, size: int) -> Iterator[tuple[tuple[int, str], list[tuple[float, float, float]]]]:
    rows = []
    for (place, sampler, _), row in found:
        rows.append(row)
        if len(rows) == size:
            yield (place, sampler), rows
            rows = []


def _wins(mine: Sequence[float], other: Sequence[float]) -> float:
    """How likely a search of ours ends lower than one of theirs; ties count half."""
    pairs = list(product(mine, other))
    return sum((a < b) + (a == b) / 2 for a, b in pairs) / len(pairs)


def _p_worse(mine: Sequence[float], other: Sequence[float]) -> float:
    """Mann-Whitney, one-sided: how likely so much worse is by chance."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(mine, other, alternative="greater", method="asymptotic").pvalue)


def pooled(rows: Sequence[Row]) -> Row:
    """All problems of a sampler together: rank sums added up over problems (van Elteren, 1960), one-sided.

    A single problem counts as worse if it is by Holm's correction for that many problems at 5 %.
    """
    excess = variance = 0.0
    for row in rows:
        mine, other = row["all"]
        n, m = len(mine), len(other)
        excess += row["wins"] * n * m - n * m / 2
        values = sorted([*mine, *other])
        ties = sum(values.count(value) ** 3 - values.count(value) for value in set(values))
        variance += n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1)))
    z = excess / math.sqrt(variance) if variance else 0.0
    p_worse = 0.5 * math.erfc(z / math.sqrt(2))
    return {"z": z, "p_worse": p_worse, "problems_worse": _holm(rows)}


def _holm(rows: Sequence[Row]) -> list[str]:
    worse = []
    for place, row in enumerate(sorted(rows, key=lambda each: each["p_worse"])):
        if row["p_worse"] > 0.05 / (len(rows) - place):
            break
        worse.append(str(row["problem"]))
    return worse
