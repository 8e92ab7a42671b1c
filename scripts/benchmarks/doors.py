"""Front doors: what each costs beside what it takes the place of, each row in a process of its own.

scripts/bench doors [--peers] [--only NAME ...]
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import neg
from typing import Any

from doors_optuna import optuna_door, optuna_mlflow
from executors import session
from rows import Row, main

import sparkml_track as st

#: Groups, rows of each, and how often they are trained: the first time the workers start.
GROUPS, GROUP_ROWS, TIMES = 5_000, 200, 2


@contextmanager
def many_groups(slots: int = 2) -> Iterator[tuple[Any, Any]]:
    """A session, and the rows of all groups in files."""
    with session(slots) as spark, tempfile.TemporaryDirectory() as folder:
        drawn = ", ".join(f"rand({seed}) AS {name}" for seed, name in enumerate("abcy"))
        frame = spark.range(GROUPS * GROUP_ROWS).selectExpr(f"id % {GROUPS} AS g", *drawn.split(", "))
        frame.write.mode("overwrite").parquet(folder)
        yield spark, spark.read.parquet(folder)


def fit(pdf: Any) -> tuple[Any, dict[str, float]]:
    """A linear model of one group."""
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(pdf[["a", "b", "c"]], pdf["y"])
    return model, {"coef": float(model.coef_[0])}


def timed(call: Callable[[], object]) -> list[float]:
    """Seconds of each call."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found


def groups() -> Row:
    """A child run and a model for each group."""
    from sparkml_track.frontdoors.groups import predict_groups, train_groups

    with many_groups() as (spark, frame):
        st.sweep(lambda _: 1.0, {"x": st.uniform(0, 1)}, max_trials=2, sampler="random", spark=spark, progress=False)
        made: list[Any] = []
        seconds = timed(lambda: made.append(train_groups(frame, "g", fit, progress=False)))
        scored = timed(lambda: predict_groups(frame, made[-1]).selectExpr("sum(prediction)").collect())
        assert made[-1].counts.finished == GROUPS
        return {
            "first_s": seconds[0],
            "second_s": seconds[-1],
            "score_s": scored[-1],
            "budget": "second_s <= 1.5 x that of applyInPandas",
        }


def groups_apply_in_pandas() -> Row:
    """The same models by Spark alone: no runs, no isolation, nothing to go on with."""

    def train(pdf: Any) -> Any:
        import pickle

        import pandas as pd

        model, metrics = fit(pdf)
        return pd.DataFrame({"g": [pdf["g"].iloc[0]], "coef": [metrics["coef"]], "model": [pickle.dumps(model)]})

    with many_groups() as (_, frame):
        grouped = frame.groupBy("g").applyInPandas(train, "g long, coef double, model binary")
        seconds = timed(grouped.toArrow)
        return {"first_s": seconds[0], "second_s": seconds[-1]}


def joblib_search(backend: str) -> Row:
    """GridSearchCV over digits, 60 candidates and 5 folds, twice: the first call brings the workers."""
    import joblib
    import numpy
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    x, y = load_digits(return_X_y=True)
    grid = {"C": numpy.logspace(-1, 2, 10).tolist(), "gamma": numpy.logspace(-4, -2, 6).tolist()}
    search = GridSearchCV(SVC(), grid, cv=5)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        first, second = (seconds(lambda: search.fit(x, y)) for _ in range(2))
    return {"first_s": first, "second_s": second, "best": search.best_score_}


def joblib_calls(backend: str, calls: int = 500) -> Row:
    """Many calls of Parallel with 10 empty tasks each."""
    import joblib

    with joblib.parallel_config(backend=backend, n_jobs=2):
        joblib.Parallel()(joblib.delayed(neg)(n) for n in range(10))
        walls = [seconds(lambda: joblib.Parallel()(joblib.delayed(neg)(n) for n in range(10))) for _ in range(calls)]
    return {"wall_s": sum(walls), "median_ms": statistics.median(walls) * 1000}


def sklearn_search(turns: int = 3) -> Row:
    """The same grid, tracked by SparkSearchCV; it and GridSearchCV under loky, untracked, take turns, warm."""
    import numpy
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    from sparkml_track.frontdoors.sklearn import SparkSearchCV

    x, y = load_digits(return_X_y=True)
    grid = {"C": numpy.logspace(-1, 2, 10).tolist(), "gamma": numpy.logspace(-4, -2, 6).tolist()}
    with session(2) as spark:
        calls: dict[str, Any] = {
            "second_s": SparkSearchCV(SVC(), grid, cv=5).on(spark),
            "without_model_s": SparkSearchCV(SVC(), grid, cv=5, log_model=False).on(spark),
            "loky_s": GridSearchCV(SVC(), grid, cv=5, n_jobs=2),
        }
        walls = [{name: seconds(partial(search.fit, x, y)) for name, search in calls.items()} for _ in range(turns)]
    found = {name: statistics.median(wall[name] for wall in walls[1:]) for name in calls}
    ratio = found["second_s"] / found["loky_s"]
    return {"first_s": walls[0]["second_s"], **found, "ratio": ratio, "budget": "ratio <= 1.25"}


def fmin(trials: Callable[[], Any], evals: int) -> Row:
    """Trivial trials of hyperopt's fmin on four slots, by whatever executes them."""
    import hyperopt
    import numpy

    def search(count: int) -> None:
        hyperopt.fmin(abs, hyperopt.hp.uniform("x", -1, 1), hyperopt.rand.suggest, count, trials=trials(),
                      rstate=numpy.random.default_rng(0), show_progressbar=False)  # fmt: skip

    with session(4):
        search(4)
        wall = seconds(lambda: search(evals))
    return {"wall_s": wall, "ms_per_trial": wall / evals * 1000}


def our_spark_trials() -> Any:
    """Ours."""
    from sparkml_track.frontdoors.hyperopt import SparkTrials

    return SparkTrials(4)


def their_spark_trials() -> Any:
    """Those of hyperopt."""
    import hyperopt

    return hyperopt.SparkTrials(4)


def seconds(step: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def on_spark(row: Callable[..., Row], backend: str, **more: Any) -> Row:
    """A row on a session of two slots, with a backend of joblib that uses it."""
    with session(2):
        if backend == "spark":
            from joblibspark import register_spark

            register_spark()
        else:
            import sparkml_track.frontdoors.joblib  # noqa: F401
        return row(backend, **more)


DOORS: dict[str, Callable[[], Row]] = {
    "hyperopt: fmin, 200 trials": lambda: {**fmin(our_spark_trials, 200), "budget": "200 times less than SparkTrials"},
    "groups": groups,
    "optuna": optuna_door,
    "joblib: GridSearchCV 60 x 5": lambda: {**on_spark(joblib_search, "sparkml"), "budget": "<= 1.15 of loky"},
    "sklearn: SparkSearchCV 60 x 5": sklearn_search,
    "joblib: 500 calls of 10": lambda: {**on_spark(joblib_calls, "sparkml"), "budget": "<= 2 x loky"},
}
PEERS: dict[str, Callable[[], Row]] = {
    "peer: hyperopt's SparkTrials, 40 trials": lambda: fmin(their_spark_trials, 40),
    "groups_apply_in_pandas": groups_apply_in_pandas,
    "optuna_mlflow": optuna_mlflow,
    "peer: loky, GridSearchCV 60 x 5": lambda: joblib_search("loky"),
    "peer: joblib-spark, GridSearchCV 60 x 5": lambda: on_spark(joblib_search, "spark"),
    "peer: loky, 500 calls of 10": lambda: joblib_calls("loky"),
    "peer: joblib-spark, 20 calls of 10": lambda: on_spark(joblib_calls, "spark", calls=20),
}


if __name__ == "__main__":
    main(__doc__, __file__, DOORS, PEERS)
