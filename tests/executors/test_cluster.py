"""Slots on other hosts: local-cluster, a standalone cluster with two hosts, and one file everywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.errors import SpecError
from sparkml_track.executors import Resources, Work, open_executor
from sparkml_track.testing.executors import attempt, outcomes
from sparkml_track.trial import State
from tests.clusters import Cluster, application, cluster, descendants, spark_home, wait_until
from tests.jvms import BRIEF_EXECUTORS

pytestmark = [pytest.mark.spark, pytest.mark.alone, pytest.mark.slow]

# What a user has: an objective beside a script that is in nobody's sys.path but the driver's.
OBJECTIVE = """
import numpy as np

SCALE = 2.0

def objective(trial):
    import os
    for step in range(3):
        trial.report({"loss": trial.params["x"] ** 2}, step=step)
        if trial.should_stop():
            break
    with open(os.path.join(trial.artifact_dir, "note.txt"), "w") as file:
        file.write("left")
    return {"loss": SCALE * trial.params["x"] ** 2, "rows": float(np.asarray(trial.data["train"]).sum())}
"""

SCRIPT = """
import json, sys
import numpy as np
from mine import objective
import sparkml_track as st

if __name__ == "__main__":
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    result = st.sweep(
        objective, {"x": st.uniform(-3, 3)}, sampler="random", max_trials=6, seed=7, parallelism=2,
        data={"train": np.arange(1000.0)}, tracking=st.Tracking(uri="memory:"), spark=spark,
    )
    finished = [trial for trial in result.trials if trial.state == "finished"]
    print("RESULT " + json.dumps({
        "finished": len(finished), "best": result.best_value, "rows": result.best.metrics["rows"],
    }))
"""


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), "--memory=1500m") as there:
        yield there


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(OBJECTIVE)
    (tmp_path / "search.py").write_text(SCRIPT)
    return tmp_path


def submit(project: Path, master: str, *conf: str, **env: str) -> dict[str, object]:
    """What the script told, run by spark-submit (which puts stderr into stdout), or by Python on Spark Connect."""
    around = {**os.environ, "SPARKML_HOME": str(project / "home"), "SPARK_LOCAL_IP": "127.0.0.1", **env}
    pairs = ["spark.ui.enabled=false", "spark.executor.memory=512m", *conf]
    pairs += [f"{key}={value}" for key, value in BRIEF_EXECUTORS.items()]
    flags = [word for pair in pairs for word in ("--conf", pair)]
    run = [f"{spark_home()}/bin/spark-submit", "--master", master, *flags]
    if master.startswith("sc:"):
        run, around = [sys.executable], {**around, "SPARK_REMOTE": master}
    done = subprocess.run([*run, str(project / "search.py")], env=around, capture_output=True, text=True, timeout=200)
    told = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    log = "\n".join(line for line in done.stderr.splitlines() if " INFO " not in line)
    assert done.returncode == 0 and told, done.stdout[-2000:] + log[-4000:]
    return {**json.loads(told[0].removeprefix("RESULT ")), "log": done.stdout}


def test_one_file_runs_unchanged_everywhere(project: Path, standalone: Cluster, tmp_path: Path) -> None:
    home = own_spark_home(tmp_path / "spark")
    masters = {"local[2]": {}, "local-cluster[2,1,1024]": {"SPARK_HOME": str(home)}}
    masters |= {standalone.master: {}, standalone.connect: {}}
    results = {}
    for master, env in masters.items():
        results[master] = submit(project, master, "spark.cores.max=1", **env)
        results[master].pop("log")
    assert len({json.dumps(result) for result in results.values()}) == 1, results
    assert next(iter(results.values()))["finished"] == 6
    assert not (Path(spark_home()) / "work").exists()
    wait_until(lambda: not left_on_hosts(standalone), 15)


def left_on_hosts(there: Cluster) -> list[Path]:
    """What sweeps left in the temporary folders of the hosts, but for code that the next one takes again."""
    found = (there.folder / "scratch").glob("worker-*/sparkml-*/*")
    return [path for path in found if path.is_dir()]


def test_the_data_of_a_killed_driver_does_not_stay_on_hosts(project: Path, standalone: Cluster) -> None:
    (project / "mine.py").write_text(OBJECTIVE.replace("    import os\n", "    import os, time\n    time.sleep(60)\n"))
    around = {**os.environ, "SPARKML_HOME": str(project / "home"), "SPARK_LOCAL_IP": "127.0.0.1"}
    flags = ["--conf", "spark.ui.enabled=false", "--conf", "spark.executor.memory=512m", "--conf", "spark.cores.max=1"]
    run = [f"{spark_home()}/bin/spark-submit", "--master", standalone.master, *flags, str(project / "search.py")]
    driver = subprocess.Popen(run, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # A template is started once the host has all the data.
        wait_until(lambda: any(list(path.glob("template*.log")) for path in left_on_hosts(standalone)), 180)
    finally:
        for pid in [driver.pid, *descendants(driver.pid)]:
            os.kill(pid, signal.SIGKILL)
        driver.wait(30)
    # A template that nobody came to before they were killed waits half a minute.
    wait_until(lambda: not left_on_hosts(standalone), 180)


def test_slots_that_do_not_reach_the_driver_get_jobs_and_a_warning_that_names_the_setting(
    project: Path, standalone: Cluster
) -> None:
    # Nobody listens there.
    result = submit(project, standalone.master, "spark.cores.max=1", "spark.sparkml.broker.host=127.0.0.9")
    assert result["finished"] == 6
    assert "executor: jobs instead of resident" in str(result["log"])
    assert "spark.sparkml.broker.host" in str(result["log"])


def own_spark_home(folder: Path) -> Path:
    """A SPARK_HOME of links: local-cluster writes its work folder there."""
    folder.mkdir()
    for entry in Path(spark_home()).iterdir():
        (folder / entry.name).symlink_to(entry)
    return folder


def test_slots_of_more_cpus_and_gpus_come_by_a_profile_or_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One pretended gpu on each host.
    script = tmp_path / "gpus"
    script.write_text('#!/bin/sh\necho \'{"name": "gpu", "addresses": ["7"]}\'\n')
    script.chmod(0o755)
    flags = ["--conf=spark.worker.resource.gpu.amount 1", f"--conf=spark.worker.resource.gpu.discoveryScript {script}"]

    def objective(_: object) -> dict[str, float]:
        import os

        return {"loss": float(os.environ["CUDA_VISIBLE_DEVICES"]), "threads": float(os.environ["OMP_NUM_THREADS"])}

    with cluster(tmp_path / "cluster", "--no-connect", "--cores=2", "--memory=1500m", *flags) as there:
        conf = {"spark.executor.resource.gpu.amount": "1", "spark.executor.cores": "2"}
        with application(there, **conf) as spark:
            for name in ("resident", "jobs"):
                executor = open_executor(name, Work(objective, resources=Resources(cpus=2, gpus=1)), spark)
                try:
                    for number in range(3):
                        executor.submit(attempt(number))
                    ended = outcomes(executor, 3, seconds=60)
                finally:
                    executor.close()
                assert {tuple(outcome.metrics.items()) for outcome in ended.values()} == {
                    (("loss", 7.0), ("threads", 2.0))
                }
            with pytest.raises(SpecError, match="needs 4 cpus, slots have 2"):
                open_executor("auto", Work(objective, resources=Resources(cpus=4)), spark)
            with pytest.raises(SpecError, match="needs 2 gpus, slots have 1"):
                open_executor("auto", Work(objective, resources=Resources(gpus=2)), spark)


@pytest.mark.parametrize("parallelism", [2, None])
def test_dynamic_allocation_brings_spark_executors_for_workers_that_wait(
    parallelism: int | None, tmp_path: Path
) -> None:
    marks = str(tmp_path)

    def objective(trial: Any) -> float:
        import os
        import time

        open(os.path.join(marks, str(trial.number)), "w").close()
        until = time.monotonic() + 90
        while not all(os.path.exists(os.path.join(marks, str(number))) for number in (0, 1)):
            assert time.monotonic() < until, "the other trial never began"
            time.sleep(0.02)
        return 1.0

    conf = {"minExecutors": "0", "initialExecutors": "1", "maxExecutors": "2", "enabled": "true"}
    conf |= {"shuffleTracking.enabled": "true", "schedulerBacklogTimeout": "1s"}
    options = {f"spark.dynamicAllocation.{name}": value for name, value in conf.items()}
    with (
        cluster(tmp_path / "cluster", "--no-connect", "--cores=1", "--memory=1500m") as there,
        application(there, **options, **{"spark.executor.cores": "1"}) as spark,
        closing(open_executor("resident", Work(objective, parallelism=parallelism), spark)) as executor,
    ):
        for number in range(2):
            executor.submit(attempt(number))
        ended = outcomes(executor, 2, seconds=120)
    assert {outcome.state for outcome in ended.values()} == {State.FINISHED}, ended
