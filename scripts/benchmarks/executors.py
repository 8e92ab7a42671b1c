"""Executors: every row of the budget table that concerns them, each in a process of its own, peers beside them.

    scripts/bench executors [--peers] [--only NAME ...]

Each row prints a line of JSON when it is done; the table comes at the end. Figures depend on the machine; the ratios
to the ideal and to the peers of the same run are what to compare.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rows import Row, main

import sparkml_track as st
from sparkml_track.executors import Ended, Executor, Reported, Work, open_executor
from sparkml_track.trial import Attempt, Trial, Unit


@contextmanager
def session(slots: int, stay: float = 60.0) -> Iterator[Any]:
    """A warm local session, whose workers ``stay`` for so many seconds after a sweep."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{slots}]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sparkml.workers.idle", stay)
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.sparkContext.range(0, 100, 1, slots).map(lambda x: x).count()
    yield spark
    spark.stop()


def nap(seconds: float) -> Callable[[object], float]:
    """An objective that sleeps."""

    def objective(_: object) -> float:
        if seconds:
            time.sleep(seconds)
        return 1.0

    return objective


def timed_sweep(spark: object, objective: Callable[[object], float], trials: int, **more: Any) -> tuple[float, float]:
    """Wall and driver CPU seconds of one sweep() call."""
    wall, cpu = time.perf_counter(), time.process_time()
    st.sweep(objective, {"x": st.uniform(0, 1)}, max_trials=trials, sampler="random", spark=spark, name="bench",
             progress=lambda _: None, **more)  # fmt: skip
    return time.perf_counter() - wall, time.process_time() - cpu


def overhead(isolation: str) -> Row:
    """40 trials that sleep 0.1 s on local[2], tracking on."""
    with session(2) as spark:
        timed_sweep(spark, nap(0), 4)  # imports, database
        walls = [timed_sweep(spark, nap(0.1), 40, isolation=isolation)[0] for _ in range(5)]
    wall = statistics.median(walls)
    return {"wall_s": wall, "overhead_ms_per_trial": (wall - 2.0) / 40 * 1000, "budget": "<= 1.5 ms"}


def empty(isolation: str, trials: int, **more: Any) -> Row:
    """Empty trials on local[2], the whole sweep() call."""
    with session(2) as spark:
        timed_sweep(spark, nap(0), 4)
        runs = [timed_sweep(spark, nap(0), trials, isolation=isolation, **more) for _ in range(3)]
    wall, cpu = statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)
    return {"trials_per_s": trials / wall, "driver_cpu_ms_per_trial": cpu / trials * 1000}


def run_all(
    executor: Executor, attempts: Sequence[Attempt], decide: Callable[[Reported], bool] | None = None
) -> list[Ended]:
    """Submits as there is room; every end, in order."""
    waiting = list(reversed(attempts))
    ended: list[Ended] = []
    while len(ended) < len(attempts):
        while waiting and executor.room > 0:
            executor.submit(waiting.pop())
        for event in executor.events(5.0):
            if isinstance(event, Reported):
                executor.answer(event.attempt, event.index, decide(event) if decide else False)
            elif isinstance(event, Ended):
                ended.append(event)
    return ended


def attempts(count: int, timeout: float | None = None) -> list[Attempt]:
    """Fresh trials."""
    return [Attempt(Trial(n, {"x": 0.5}, n), Unit(n), timeout=timeout) for n in range(count)]


@contextmanager
def executor_on(slots: int, objective: Callable[[Any], object], **more: Any) -> Iterator[Executor]:
    """A resident executor on a session of its own."""
    with session(slots) as spark:
        executor = open_executor("resident", Work(objective, **more), spark)
        try:
            yield executor
        finally:
            executor.close()


def after_first() -> Row:
    """Overhead per trial once the first result is there: 40 x 0.1 s on local[2]."""
    walls = []
    with executor_on(2, nap(0.1)) as executor:
        run_all(executor, attempts(2))
        for number in range(2, 7):
            start = time.perf_counter()
            run_all(executor, [Attempt(a.trial, a.unit, number=number) for a in attempts(40)])
            walls.append(time.perf_counter() - start)
    wall = statistics.median(walls)
    return {"overhead_ms_per_trial": (wall - 2.0) / 40 * 1000, "budget": "<= 1 ms"}


def wide() -> Row:
    """2,000 trials that sleep 0.2 s on 16 warm slots."""
    with executor_on(16, nap(0.2)) as executor:
        run_all(executor, attempts(32))
        start = time.perf_counter()
        run_all(executor, [Attempt(a.trial, a.unit, number=2) for a in attempts(2000)])
        wall = time.perf_counter() - start
    return {"wall_s": wall, "over_ideal_percent": (wall / 25.0 - 1) * 100, "budget": "<= 3 %"}


def first_result() -> Row:
    """Time to the first result on 16 warm slots without workers; the objective imports scikit-learn."""
    import sklearn.ensemble

    forest = sklearn.ensemble.RandomForestClassifier

    def objective(_: object) -> float:
        return float(forest is not None)

    seconds = []
    with session(16, stay=0.0) as spark:
        for _ in range(3):
            start = time.perf_counter()
            executor = open_executor("resident", Work(objective), spark)
            executor.submit(attempts(1)[0])
            while not any(isinstance(event, Ended) for event in executor.events(5.0)):
                pass
            seconds.append(time.perf_counter() - start)
            executor.close()
    return {"seconds": statistics.median(seconds), "budget": "<= 3 s"}


def first_sweep() -> Row:
    """The first sweep of a process on a session: from the call to the first trial, from the last trial to the end."""
    with session(2) as spark:
        called = time.time()
        result = st.sweep(nap(0.1), {"x": st.uniform(0, 1), "y": st.uniform(0, 1)}, max_trials=40, spark=spark,
                          name="bench", progress=lambda _: None)  # fmt: skip
        returned = time.time()
    ends = [trial.started + trial.duration for trial in result.trials]
    return {
        "first_trial_s": min(trial.started for trial in result.trials) - called,
        "end_s": returned - max(ends),
        "budget": "<= 2.5 s, <= 0.25 s",
    }


def clock(learn: bool) -> Callable[[object], float]:
    """An objective that returns the time; another one each time, which may import scikit-learn."""

    def objective(_: object) -> float:
        if learn:
            import sklearn.linear_model  # noqa: F401
        return time.time()

    return objective


def second_sweep() -> Row:
    """From the call to the first result, of sweeps on a session that has had one: the same objective, and others."""
    same, first = clock(learn=True), {"same_ms": [], "another_ms": []}  # type: dict[str, list[float]]
    with session(2) as spark:
        timed_sweep(spark, same, 4)
        for _ in range(7):
            for name, objective in (("same_ms", same), ("another_ms", clock(learn=True))):
                for repeat in range(2):  # what comes before each is a sweep of the same
                    called = time.time()
                    result = st.sweep(objective, {"x": st.uniform(0, 1)}, max_trials=1, sampler="random", spark=spark,
                                      name="bench", progress=lambda _: None)  # fmt: skip
                    if repeat == (name == "same_ms"):
                        first[name].append(((result.best.value if result.best else 0.0) - called) * 1000)
    return {**{name: statistics.median(found) for name, found in first.items()}, "budget": "<= 30 ms, <= 150 ms"}


def report_to_stop() -> Row:
    """From report() to the return of should_stop(), seen by the objective."""

    def objective(trial: Any) -> dict[str, float]:
        waits = []
        for step in range(200):
            time.sleep(0.002)
            start = time.perf_counter()
            trial.report({"loss": 1.0}, step=step)
            trial.should_stop()
            waits.append(time.perf_counter() - start)
        return {"loss": 0.0, **{f"w{i}": wait for i, wait in enumerate(waits)}}

    with executor_on(2, objective) as executor:
        ended = run_all(executor, attempts(8))
    waits = sorted(v * 1000 for e in ended for k, v in e.outcome.metrics.items() if k.startswith("w"))
    p50, p95, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.95, 0.99))
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "budget": "p99 <= 5 ms"}


def timeout_to_next() -> Row:
    """From the kill of a hung attempt to the start of the next one in its slot."""

    def objective(trial: Any) -> dict[str, float]:
        began = time.time()
        if trial.number % 2 == 0:
            time.sleep(60)
        return {"loss": 0.0, "began": began}

    with executor_on(2, objective, parallelism=1) as executor:
        ended = {e.attempt: e.outcome for e in run_all(executor, attempts(20, timeout=0.2))}
    gaps = [
        (ended[f"{n + 1}.0.1"].metrics["began"] - ended[f"{n}.0.1"].started - ended[f"{n}.0.1"].duration) * 1000
        for n in range(0, 20, 2)
    ]
    return {"median_ms": statistics.median(gaps), "max_ms": max(gaps), "budget": "<= 5 ms"}


def data() -> Row:
    """1 GB of training data for 8 slots of one host."""
    import numpy

    def objective(trial: Any) -> dict[str, float]:
        start = time.perf_counter()
        array = trial.data["train"]
        opened = time.perf_counter() - start
        return {"loss": float(array[trial.number * 1000, 0]), "opened": opened}

    train = numpy.zeros((1 << 27, 1))
    start = time.perf_counter()
    with executor_on(8, objective, data={"train": train}) as executor:
        placed = time.perf_counter() - start
        ended = run_all(executor, attempts(32))
        folder = Path(executor._host.folder) / "blobs"  # type: ignore[attr-defined]  # noqa: SLF001
        copies = sum(path.stat().st_size for path in folder.iterdir()) / train.nbytes
    opened = max(e.outcome.metrics["opened"] for e in ended)
    return {"copies": round(copies, 2), "open_max_s": opened, "placed_s": placed, "budget": "one copy, <= 0.1 s"}


def broker() -> Row:
    """1,000 simulated workers that each send messages; one driver thread."""
    import resource

    from sparkml_track.executors._resident.broker import Broker
    from sparkml_track.slot.wire.messages import Answer, Hello

    secret, per_worker, workers = b"s" * 32, 100, 1000
    broker = Broker(secret)
    code = f"from benchmarks_client import main; main({broker.address!r}, {secret!r}, {workers}, {per_worker})"
    client = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent)
    began = time.perf_counter()
    greeted = count = 0
    connected = wall = cpu = 0.0
    while count < workers * per_worker:
        for received in broker.poll(1.0):
            if received.message is None:
                continue
            if isinstance(received.message, Hello):
                greeted += 1
                if greeted == workers:
                    connected = time.perf_counter() - began
                    wall, cpu = time.perf_counter(), time.process_time()
                continue
            count += 1
            broker.send(received.connection, Answer("1.0.1", 1, stop=False))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    client.wait()
    broker.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = {"connect_s": connected, "messages_per_s": count / wall, "driver_cpu_us_per_message": cpu / count * 1e6}
    return {**rate, "driver_peak_mb": peak, "budget": ">= 20,000 messages/s"}


# -- peers


def loky() -> Row:
    """Joblib's process pool: no Spark, no tracking."""
    from joblib import Parallel, delayed

    Parallel(n_jobs=2)(delayed(time.sleep)(0) for _ in range(4))
    start = time.perf_counter()
    Parallel(n_jobs=2)(delayed(time.sleep)(0.1) for _ in range(40))
    return _peer(time.perf_counter() - start)


def joblib_spark() -> Row:
    """joblib-spark: Spark, no search, no tracking."""
    from joblib import Parallel, delayed, parallel_config
    from joblibspark import register_spark

    with session(2):
        register_spark()
        with parallel_config(backend="spark", n_jobs=2):
            Parallel()(delayed(time.sleep)(0) for _ in range(4))
            start = time.perf_counter()
            Parallel()(delayed(time.sleep)(0.1) for _ in range(40))
            return _peer(time.perf_counter() - start)


def spark_trials() -> Row:
    """Hyperopt's SparkTrials, random search."""
    import hyperopt
    import numpy

    def objective(x: float) -> float:
        time.sleep(0.1)
        return x

    with session(2) as spark:
        trials = hyperopt.SparkTrials(parallelism=2, spark_session=spark)
        start = time.perf_counter()
        hyperopt.fmin(objective, hyperopt.hp.uniform("x", 0, 1), hyperopt.rand.suggest, 40, trials=trials,
                      rstate=numpy.random.default_rng(0), show_progressbar=False)  # fmt: skip
        return _peer(time.perf_counter() - start)


def first_spark_trials() -> Row:
    """The first ``fmin`` of a process with hyperopt's SparkTrials."""
    import hyperopt
    import numpy

    with session(2) as spark:
        called = time.time()
        trials = hyperopt.SparkTrials(parallelism=2, spark_session=spark)
        hyperopt.fmin(lambda _: time.time(), hyperopt.hp.uniform("x", 0, 1), hyperopt.tpe.suggest, 4, trials=trials,
                      rstate=numpy.random.default_rng(0), show_progressbar=False)  # fmt: skip
        returned = time.time()
    return {"first_trial_s": min(trials.losses()) - called, "end_s": returned - max(trials.losses())}


def mlflow_study() -> Row:
    """MLflow's Spark study for Optuna, SQLite, random sampler."""
    import mlflow
    import optuna
    from mlflow.optuna.storage import MlflowStorage
    from mlflow.pyspark.optuna.study import MlflowSparkStudy

    def objective(trial: Any) -> float:
        trial.suggest_float("x", 0, 1)
        time.sleep(0.1)
        return 1.0

    with session(2), tempfile.TemporaryDirectory() as home:
        uri = f"sqlite:///{home}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        experiment = mlflow.create_experiment("bench")
        storage = MlflowStorage(experiment_id=experiment)
        study = MlflowSparkStudy("bench", storage, sampler=optuna.samplers.RandomSampler(0), mlflow_tracking_uri=uri)
        start = time.perf_counter()
        study.optimize(objective, n_trials=40, n_jobs=2)
        return _peer(time.perf_counter() - start)


def _peer(wall: float) -> Row:
    return {"wall_s": wall, "overhead_ms_per_trial": (wall - 2.0) / 40 * 1000}


UNTRACKED = {"tracking": st.Tracking(uri="memory:", child_runs="none")}
ROWS: dict[str, Callable[[], Row]] = {
    "40 x 0.1 s, recycled": lambda: overhead("recycled"),
    "40 x 0.1 s, fresh": lambda: overhead("fresh"),
    "40 x 0.1 s, after the first": after_first,
    "empty trials, tracked, recycled": lambda: {**empty("recycled", 10_000), "budget": ">= 3,000/s, <= 0.3 ms CPU"},
    "empty trials, untracked, recycled": lambda: empty("recycled", 10_000, **UNTRACKED),
    "empty trials, tracked, fresh": lambda: {**empty("fresh", 1_000), "budget": ">= 150/s"},
    "2,000 x 0.2 s on 16 slots": wide,
    "first result on 16 slots": first_result,
    "first sweep of a process": first_sweep,
    "first result of a second sweep": second_sweep,
    "report to stop": report_to_stop,
    "timeout to next attempt": timeout_to_next,
    "1 GB of data, 8 slots": data,
    "broker, 1,000 workers": broker,
}
PEERS: dict[str, Callable[[], Row]] = {
    "peer: joblib/loky": loky,
    "peer: joblib-spark": joblib_spark,
    "peer: hyperopt SparkTrials": spark_trials,
    "peer: hyperopt SparkTrials, first of a process": first_spark_trials,
    "peer: MlflowSparkStudy": mlflow_study,
}


if __name__ == "__main__":
    main(__doc__, __file__, ROWS, PEERS)
