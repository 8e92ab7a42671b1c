"""The same seed gives the same trials and values, whatever the timing, on threads of one JVM and on Spark executors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clusters import spark_home
from tests.jvms import BRIEF_EXECUTORS

pytestmark = [pytest.mark.spark, pytest.mark.slow]

# Trials take 0 to 80 ms by a clock, so that they end in another order each time.
SCRIPT = """
import json, sys
import sparkml_track as st
from pyspark.sql import SparkSession


def objective(trial):
    import time

    time.sleep(time.time_ns() // 1000 % 80 / 1000)
    shape = trial.params["shape"]
    if trial.params["x"] < -2.5:
        raise ValueError("too far left")
    return (trial.params["x"] - 1) ** 2 + (shape["bend"] if shape["kind"] == "bent" else 1.0)


space = {
    "x": st.uniform(-3, 3),
    "shape": st.choice({"kind": "bent", "bend": st.loguniform(1e-3, 1)}, {"kind": "flat"}),
}


def search():
    result = st.sweep(
        objective, space, name="same", sampler={"tpe": {"startup": 6}}, max_trials=24, parallelism=4, seed=11,
        deterministic=True, resume="never", tracking=st.Tracking(uri="memory:", child_runs="none"), spark=spark,
    )
    order = [trial.number for trial in sorted(result.trials, key=lambda trial: trial.started + trial.duration)]
    hosts = len({trial.host for trial in result.trials})
    trials = [[trial.number, trial.params, trial.state.value, trial.value] for trial in result.trials]
    return {"trials": trials, "digest": result.summary.digest, "order": order, "hosts": hosts}


if __name__ == "__main__":
    builder = SparkSession.builder.master(sys.argv[1]).config("spark.ui.enabled", "false")
    for key, value in json.loads(sys.argv[2]).items():
        builder = builder.config(key, value)
    spark = builder.config("spark.executor.memory", "512m").getOrCreate()
    print("RESULT " + json.dumps([search(), search()]))
    spark.stop()
"""


def run(folder: Path, master: str) -> list[dict[str, object]]:
    """What two sweeps of the script gave."""
    home = folder / "spark"
    home.mkdir()
    for entry in Path(spark_home()).iterdir():
        (home / entry.name).symlink_to(entry)  # local-cluster writes its work folder into its home
    (folder / "search.py").write_text(SCRIPT)
    environ = {**os.environ, "SPARKML_HOME": str(folder / "home"), "SPARK_HOME": str(home)}
    command = [sys.executable, str(folder / "search.py"), master, json.dumps(BRIEF_EXECUTORS)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=250)
    told = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert done.returncode == 0 and told, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(told[0].removeprefix("RESULT "))


def test_a_seed_repeats_a_deterministic_search_on_four_slots_of_any_master(tmp_path: Path) -> None:
    found = []
    for name, master in {"threads": "local[4]", "executors": "local-cluster[2,2,1024]"}.items():
        (tmp_path / name).mkdir()
        found += run(tmp_path / name, master)
    first = found[0]
    assert len(first["trials"]) == 24  # type: ignore[arg-type]
    assert {trial[2] for trial in first["trials"]} >= {"finished"}  # type: ignore[attr-defined]
    assert [each["trials"] for each in found] == [first["trials"]] * 4
    assert {each["digest"] for each in found} == {first["digest"]}
    assert any(each["order"] != sorted(each["order"]) for each in found), "they did end in another order"  # type: ignore[type-var]
