"""Quality at equal trials: ours through four slots beside the library, one trial after the other."""

from __future__ import annotations

import logging
import math
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from random import Random
from typing import Any

from search_problems import PROBLEMS, Problem, for_hyperopt, for_optuna, for_us
from search_workers import Failed, results

import sparkml_track as st

__all__ = ["LIBRARIES", "PROTOCOL", "UNJUDGED", "Comparison", "both", "pooled"]

PROTOCOL = """
Quality at equal trials. Four problems are cross-validated models on real data, looked up on a grid that was measured
once; four are functions whose optimum is known. Ours proposes for four slots that are busy all the time, so it does not
know three of the results that a serial loop knows. hyperopt's fmin is serial; Optuna's optimize has four jobs, and
serially too: that comparison says what four at one time cost, for one at a time our proposals are Optuna's own. Regret
is what the best trial lies above the optimum. Rank sums (Mann-Whitney, one-sided) for each problem, with Holm's
correction; added up over problems (van Elteren) for each sampler. Worse means at 5 %.
"""

Row = dict[str, Any]
Task = tuple[int, str, int]  # the problem's place, our sampler, the seed
Found = tuple[float, dict[str, float], float]
_FMIN, _JOBS, _SERIAL = "hyperopt fmin", "Optuna optimize, 4 jobs", "Optuna optimize, serial"
#: Our sampler, and what it is compared with.
LIBRARIES = {"tpe": (_FMIN,), "optuna-tpe": (_JOBS, _SERIAL)}
#: What is shown without a budget: knowing less is no fault of ours.
UNJUDGED = _SERIAL
_SLOTS = 4
#: Seeds begin here. Those from 0 showed that "tpe" fell behind with four trials at one time, those from 100 served to
#: choose what to do about it: they cannot judge it.
_FIRST = 1000
_LONGEST = 120.0  # seconds for one search of ours and theirs, which take five


def ours(problem: Problem, sampler: str, seed: int) -> tuple[float, float]:
    """The best value of a sweep through four slots, and how many trials ran at one time on average.

    A trial takes 20 to 44 ms, ten times as long as a proposal, so that four of them are under way all the time.
    """
    value = problem.value

    def objective(trial: Any) -> float:
        import time

        time.sleep(0.02 + 0.024 * (trial.seed % 1000) / 1000)
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
    if result.counts.finished < problem.trials:
        raise RuntimeError(f"{result.counts.finished} of {problem.trials} trials finished")
    began = min(trial.started for trial in result.trials)
    ended = max(trial.started + trial.duration for trial in result.trials)
    return result.best_value, sum(trial.duration for trial in result.trials) / (ended - began)


def theirs(problem: Problem, library: str, seed: int) -> float:
    """The best value of the library's own loop."""
    return _hyperopt(problem, seed) if library == _FMIN else _optuna(problem, seed, _SLOTS if library == _JOBS else 1)


def _hyperopt(problem: Problem, seed: int) -> float:
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
    return float(min(trials.losses()))


def _optuna(problem: Problem, seed: int, jobs: int) -> float:
    import optuna

    def objective(trial: Any) -> float:
        point = for_optuna(trial, problem.space)
        if jobs > 1:
            time.sleep(0.02 + 0.024 * Random(f"{seed}/{trial.number}").random())  # as long as ours
        return problem.value(point)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, problem.trials, n_jobs=jobs)
    return float(study.best_value)


def both(task: Task) -> Found:
    """Ours and theirs above the optimum, and how many trials of ours ran at one time."""
    place, sampler, seed = task[0], task[1], task[2] + _FIRST
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    problem = PROBLEMS[place]
    optimum = problem.optimum()  # first, so that the figures of a real problem go out with it
    best, running = ours(problem, sampler, seed)
    others = {library: theirs(problem, library, seed) - optimum for library in LIBRARIES[sampler]}
    return best - optimum, others, running


class Comparison:
    """What was found so far; complete or not, it can be shown."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, str], list[Found]] = {}
        self.failed: list[tuple[Task, str]] = []

    def measure(self, seeds: int, minutes: float) -> Iterator[Row]:
        """Two searches at one time, all problems of a seed before the next seed; a row for each seed.

        Args:
            seeds: how many.
            minutes: after which no search is begun.
        """
        tasks = [(place, name, seed) for seed, place, name in product(range(seeds), range(len(PROBLEMS)), LIBRARIES)]
        left = [len(tasks) // seeds] * seeds
        began = time.monotonic()
        until = began + 60 * minutes
        for task, found in results(both, tasks, processes=2, longest=_LONGEST, until=until):
            if isinstance(found, Failed):
                self.failed.append((task, found.why))
            else:
                self._found.setdefault(task[:2], []).append(found)
            left[task[2]] -= 1
            if not left[task[2]]:
                yield {"what": "seed", "seed": task[2], "failed": len(self.failed), "s": time.monotonic() - began}

    def rows(self) -> list[Row]:
        """One for each library and problem that has at least two seeds."""
        return [
            _row(PROBLEMS[place], sampler, library, group)
            for (place, sampler), group in sorted(self._found.items())
            for library in LIBRARIES[sampler]
            if len(group) > 1
        ]


def _row(problem: Problem, sampler: str, library: str, group: list[Found]) -> Row:
    mine, other = [best for best, _, _ in group], [others[library] for _, others, _ in group]
    return {
        "sampler": sampler,
        "library": library,
        "problem": problem.name,
        "trials": problem.trials,
        "seeds": len(group),
        "ours": statistics.median(mine),
        "theirs": statistics.median(other),
        "wins": _wins(mine, other),
        "p_worse": _p_worse(mine, other),
        "at_one_time": statistics.mean(running for _, _, running in group),
        "all": [mine, other],
    }


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
    p_worse = 0.5 * math.erfc(-z / math.sqrt(2))
    return {"z": z, "p_worse": p_worse, "problems_worse": _holm(rows)}


def _holm(rows: Sequence[Row]) -> list[str]:
    worse = []
    for place, row in enumerate(sorted(rows, key=lambda each: each["p_worse"])):
        if row["p_worse"] > 0.05 / (len(rows) - place):
            break
        worse.append(str(row["problem"]))
    return worse
