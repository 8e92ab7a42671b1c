"""The Spark application ends under a sweep: its JVM is killed, or somebody calls spark.stop()."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import alive, wait_until

pytestmark = [pytest.mark.spark, pytest.mark.alone, pytest.mark.slow]

# In a process of its own: a JVM is killed. Trial 2 waits until that has happened, and not when it is tried again.
SCRIPT = """
import json, os, signal, sys, threading, time
import sparkml_track as st
from pyspark.sql import SparkSession

executor, how, marks = sys.argv[1:]
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
jvm = spark.sparkContext._gateway.proc.pid
told = {}

def objective(trial):
    import os, time
    if trial.number == 2 and not os.path.exists(os.path.join(marks, "again")):
        with open(os.path.join(marks, "part"), "w") as file:
            file.write(str(os.getpid()))
        os.rename(os.path.join(marks, "part"), os.path.join(marks, "running"))
        while executor == "driver":
            import __main__
            __main__.spark.range(10).count()
        time.sleep(60)
    time.sleep(0.1)
    return 1.0

def end():
    while not os.path.exists(os.path.join(marks, "running")):
        time.sleep(0.01)
    told["ended"] = time.monotonic()
    if how == "kill":
        os.kill(jvm, signal.SIGKILL)
    else:
        spark.stop()

def sweep(executor, spark):
    return st.sweep(
        objective, {"x": st.uniform(0, 1)}, name="doomed", sampler="random", max_trials=6, seed=1, executor=executor,
        failures=st.Failures(retries=0), tracking=st.Tracking(uri="memory:"), spark=spark, progress=lambda _: None,
        parallelism=2,
    )

thread = threading.Thread(target=end)
thread.start()
try:
    sweep(executor, spark)
    told["error"] = "none"
except BaseException as error:
    told["error"], told["message"] = type(error).__name__, str(error)
told["seconds"] = time.monotonic() - told.pop("ended")
thread.join()
open(os.path.join(marks, "again"), "w").close()
result = sweep("inline", None)
told["trials"] = [[trial.number, trial.state.value, trial.message] for trial in result.trials]
print("TOLD " + json.dumps(told))
"""


def told_by(folder: Path, executor: str, how: str) -> dict[str, Any]:
    run = [sys.executable, "-c", SCRIPT, executor, how, str(folder)]
    env = {**os.environ, "SPARKML_HOME": str(folder / "home")}
    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=120, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    found: dict[str, Any] = json.loads(lines[0].removeprefix("TOLD "))
    assert "did not close in order" not in done.stderr, done.stderr[-4000:]
    return found


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize("executor", ["resident", "jobs", "driver"])
def test_a_sweep_whose_spark_application_ends_is_told_so_and_goes_on_elsewhere(
    executor: str, how: str, tmp_path: Path
) -> None:
    told = told_by(tmp_path, executor, how)
    assert told["error"] == "SlotsLost", told
    assert "the Spark application has ended" in told["message"]
    assert "results so far are kept" in told["message"]
    assert "or the same command again, goes on" in told["message"]
    assert told["seconds"] < 15
    # Without a retry: what was lost with the application counts against no trial.
    assert sorted(told["trials"]) == [[number, "finished", ""] for number in range(6)]
    child = int((tmp_path / "running").read_text())
    wait_until(lambda: not alive(child), 5)
