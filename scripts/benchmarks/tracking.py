"""Tracking: child runs a second by each lane beside MLflow's own client, what logging costs a trial, memory, reports.

    scripts/bench tracking [--only NAME ...]

Each row prints a line of JSON when it is done; the table comes at the end. Lanes and MLflow's client write the same
child runs, of 6 params and 5 metrics, in one process one after the other; the ratios are what to compare.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rows import Row, main

import sparkml_track as st
from sparkml_track.engine.publishing.report import Page, render
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.summary import Result, summarise, trials_table
from sparkml_track.goal import Goal
from sparkml_track.home import Home
from sparkml_track.plots import standard
from sparkml_track.testing.servers import PostgresServer, TrackingServer
from sparkml_track.trackers import ChildRun, ParentRun, Tracker, open_tracker
from sparkml_track.trial import Report, State

_PARAMS = {f"p{index}": index / 7 for index in range(6)}
_METRICS = {f"m{index}": index / 3 for index in range(5)}
#: As many as the publisher hands over at one time.
_BATCH = 500


def published(tracker: Tracker, children: int) -> float:
    """Child runs a second."""
    run_id, _ = tracker.start(ParentRun("bench-1", "bench", "bench", started=time.time()))
    began = time.perf_counter()
    for start in range(0, children, _BATCH):
        numbers = range(start, min(start + _BATCH, children))
        tracker.publish(run_id, [_child(number) for number in numbers])
    return children / (time.perf_counter() - began)


def _child(number: int) -> ChildRun:
    return ChildRun(number, _PARAMS, State.FINISHED, _METRICS, started=time.time(), duration=0.1)


def by_client(uri: str, children: int) -> float:
    """The same by MLflow's client, one after the other as its fluent interface does it."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(uri)
    experiment = client.create_experiment("client")
    params = [Param(name, str(value)) for name, value in _PARAMS.items()]
    began = time.perf_counter()
    for _ in range(children):
        run = client.create_run(experiment)
        metrics = [Metric(name, value, int(time.time() * 1000), 0) for name, value in _METRICS.items()]
        client.log_batch(run.info.run_id, metrics, params)
        client.set_terminated(run.info.run_id)
    return children / (time.perf_counter() - began)


def sqlite() -> Row:
    """The lane to a SQLite file."""
    home = Home.find().make()
    with closing(open_tracker(None, home.root)) as tracker:
        ours = published(tracker, 20_000)
    theirs = by_client(home.tracking_uri, 100)
    return {"runs_per_s": ours, "client_runs_per_s": theirs, "times": ours / theirs, "budget": ">= 2,500/s"}


def postgres() -> Row:
    """PostgreSQL on loopback, with its own settings."""
    if PostgresServer.programs() is None:
        return {"skipped": "PostgreSQL is not installed", "budget": ">= 1,500/s"}
    home = Home.find().make()
    with PostgresServer(home.root / "postgres") as there:
        uri = there.database()
        with closing(open_tracker(uri, home.root)) as tracker:
            ours = published(tracker, 20_000)
        theirs = by_client(uri, 100)
    return {"runs_per_s": ours, "client_runs_per_s": theirs, "times": ours / theirs, "budget": ">= 1,500/s"}


def rest() -> Row:
    """A tracking server of MLflow's on loopback, by REST."""
    ours, theirs = on_server(bulk=False, children=200)
    return {"runs_per_s": ours, "client_runs_per_s": theirs, "times": ours / theirs, "budget": ">= 1 times"}


def endpoint() -> Row:
    """``sparkml-track server`` on loopback."""
    ours, theirs = on_server(bulk=True, children=20_000)
    return {"runs_per_s": ours, "client_runs_per_s": theirs, "times": ours / theirs, "budget": ">= 1,000/s"}


def on_server(*, bulk: bool, children: int) -> tuple[float, float]:
    """Child runs a second of a tracker and of MLflow's client, through a server with one worker."""
    home = Home.find().make()
    with TrackingServer(home.root, home.tracking_uri, bulk=bulk) as server:
        with closing(open_tracker(server.uri, home.root)) as tracker:
            ours = published(tracker, children)
        return ours, by_client(server.uri, 200)


def nothing(_: Any) -> float:
    """An empty trial."""
    return 0.5


def reports(trial: Any) -> float:
    """100 reports."""
    for step in range(100):
        trial.report({"loss": 1.0 / (step + 1)}, step)
    return 0.5


def logs(_: Any) -> float:
    """100 metrics through MLflow."""
    import mlflow

    for step in range(100):
        mlflow.log_metric("curve", 1.0 / (step + 1), step=step)
    return 0.5


def logging() -> Row:
    """100 values of a metric by ``trial.report`` and by ``mlflow.log_metric``, in one process that has MLflow."""

    def median(objective: Callable[[Any], float]) -> float:
        given: dict[str, Any] = {"max_trials": 60, "sampler": "random", "progress": False, "parallelism": 1}
        result = st.sweep(objective, {"x": st.uniform(0, 1)}, executor="processes", **given)
        return statistics.median(trial.duration for trial in result.trials[20:])

    empty, reported, logged = median(nothing), median(reports), median(logs)
    return {
        "empty_ms": empty * 1000,
        "reported_ms": reported * 1000,
        "logged_ms": logged * 1000,
        "times": logged / reported,
        "budget": "<= 3 times",
    }


def memory() -> Row:
    """Resident memory of the driver over a sweep of 50,000 empty trials."""
    seen: dict[int, float] = {}

    def look(progress: Any) -> None:
        seen[progress.done] = _resident_mb()

    given: dict[str, Any] = {"max_trials": 50_000, "sampler": "random", "progress": look}
    st.sweep(nothing, {"x": st.uniform(0, 1)}, executor="processes", **given)
    early = next(mb for done, mb in sorted(seen.items()) if done >= 5_000)
    late = seen[max(seen)]
    return {"at_5000_mb": early, "at_end_mb": late, "grown_mb": late - early, "budget": "<= 150 MB grown"}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def summary() -> Row:
    """Summary, trials table and report of 10,000 trials."""
    return _summed((Goal(),), reports=0)


def summary_of_two() -> Row:
    """The same with two objectives, of trials that reported 50 times each."""
    return _summed((Goal(), Goal("m1", maximize=True)), reports=50)


def _summed(goals: tuple[Goal, ...], reports: int) -> Row:
    results = [
        Result(
            number, {name: number * (place + 7) % 1009 / 1009 for place, name in enumerate(_PARAMS)}, State.FINISHED,
            {"loss": number % 97 / 97, **_METRICS},
            (number % 97 / 97, number % 89 / 89)[: len(goals)], started=1e9 + number, duration=0.5,
        )
        for number in range(10_000)
    ]  # fmt: skip
    curves, said = Curves(goals[0]), [Report({"loss": 1 / (step + 1)}, step, 1e9) for step in range(reports)]
    began = time.perf_counter()
    for one in results:
        curves.add(one, said)
    chosen = time.perf_counter() - began
    began = time.perf_counter()
    whole = summarise(results, len(results), 0, goals)
    trials_table(results)
    summed = time.perf_counter() - began
    began = time.perf_counter()
    page = render(Page("bench", whole, results, curves=curves), standard())
    drawn = time.perf_counter() - began
    pieces = page if isinstance(page, tuple) else (page.encode(),)
    size = sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in pieces)
    found = {"summary_s": summed, "curves_s": chosen, "report_s": drawn, "report_mb": size / 1e6}
    return {**found, "budget": "<= 3 s, <= 1 s, <= 8 s, <= 15 MB"}


ROWS: dict[str, Callable[[], Row]] = {
    "SQLite file": sqlite,
    "PostgreSQL": postgres,
    "sparkml-track server": endpoint,
    "another tracking server, REST": rest,
    "100 metrics in a trial": logging,
    "driver memory, 50,000 trials": memory,
    "10,000 trials": summary,
    "10,000 trials, two objectives, 50 reports each": summary_of_two,
}

if __name__ == "__main__":
    main(__doc__, __file__, ROWS, {})
