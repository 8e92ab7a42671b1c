"""The driver: one sweep on the cluster. Started again by the same command, it goes on.

python tests/nemesis/sweep.py SETTINGS.json
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from tests.jvms import BRIEF_EXECUTORS

__all__ = ["FILES", "RAISES", "cluster_session", "objective_in"]

#: Trials of these numbers, by modulus and rest, raise; those leave a file.
RAISES = (40, 17)
FILES = (25, 4)


def objective_in(folder: str, pruned: bool, several: bool = False) -> Any:
    """An objective that says in a file when an attempt begins and ends, and by which driver it was sent.

    Args:
        folder: of the file.
        pruned: it asks whether to stop.
        several: its trials have units; what one logs through MLflow has the unit in its name.
    """
    raises, files = RAISES, FILES

    def objective(trial: Any) -> dict[str, float]:
        import os
        import random
        import time

        import mlflow

        def say(what: str) -> None:
            sent = os.path.basename(os.path.dirname(os.path.dirname(trial.artifact_dir)))
            file = os.open(os.path.join(folder, "executions"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.write(file, f"{what} {trial.number} {trial.attempt} {sent} {os.getpid()} {trial.unit}\n".encode())
            os.close(file)

        say("begin")
        unit = f"_{trial.unit}" if several else ""
        mlflow.log_param(f"began{unit}", trial.attempt)
        loss = (trial.params["x"] - 1.0) ** 2 + trial.params["kind"]["c"] + trial.unit
        seconds = 0.3 + 1.7 * random.Random(trial.seed).random() ** 3
        for step in range(3):
            time.sleep(seconds / 3)
            trial.report({"loss": loss + 2 - step, "attempt": trial.attempt}, step=step)
            mlflow.log_metric(f"logged{unit}", trial.attempt, step=step)
            if pruned and trial.should_stop():
                say("end")
                return {"loss": loss}
        if trial.number % raises[0] == raises[1]:
            say("end")
            raise ValueError("a trial of this number raises")
        if trial.number % files[0] == files[1]:
            with open(os.path.join(trial.artifact_dir, "note.txt"), "w") as note:
                note.write(f"{trial.number} {trial.attempt}")
        say("end")
        return {"loss": loss, "attempt": trial.attempt}

    return objective


def cluster_session(master: str) -> Any:
    """A session with one executor on each host."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("nemesis")
    options = {"spark.executor.memory": "512m", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    options |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", **BRIEF_EXECUTORS}
    for key, value in options.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def main(path: str) -> None:
    """Runs the sweep; writes what came of it."""
    import sparkml_track as st
    from sparkml_track.api.sweep import run
    from sparkml_track.engine.spec.arguments import SweepArguments
    from sparkml_track.home import Home

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    given = json.loads(Path(path).read_text())
    session = cluster_session(given["master"])
    wanted = SweepArguments(
        objective=objective_in(given["folder"], pruned=given["pruner"] is not None, several=given["units"] > 1),
        space={
            "x": st.uniform(-3, 3),
            "kind": st.choice({"name": "a", "c": 0.0}, {"name": "b", "c": st.uniform(0, 1)}),
        },
        name="nemesis",
        sampler=given["sampler"],
        pruner=given["pruner"],
        isolation=given["isolation"],
        seed=given["seed"],
        max_trials=given["trials"],
        failures=st.Failures(retries=given["retries"]),
        tracking=st.Tracking(uri=given["tracking"]),
        units=given["units"],
    )
    # As sweep() does it, which has no units: they are the front doors'.
    result = run(wanted, Home.find(), lambda: session, progress=lambda _: None)
    session.stop()
    Path(given["answer"]).write_text(json.dumps({"sweep": result.sweep, "run": result.run_id}))


if __name__ == "__main__":
    main(sys.argv[1])
