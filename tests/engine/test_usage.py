"""What trials took of their hosts is on child runs, in the journal and on the parent run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.trial import UNMEASURED, Usage

pytestmark = pytest.mark.slow

MB = 1 << 20


def objective(trial: Any) -> float:
    if trial.number == 1:
        held = bytearray(100 * MB)
        del held
    if trial.number == 2:
        began = time.thread_time()
        while time.thread_time() - began < 0.2:
            pass
    return float(trial.params["x"])


@pytest.mark.parametrize(
    ("executor", "isolation"), [("processes", "recycled"), ("processes", "fresh"), ("inline", "recycled")]
)
def test_each_trial_has_its_own_figures(
    executor: str, isolation: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    given: Any = {"executor": executor, "isolation": isolation, "parallelism": 1, "progress": False}
    result = st.sweep(objective, {"x": st.uniform(0, 1)}, max_trials=4, sampler="random", **given)
    usage = [trial.usage for trial in result.trials]
    seconds = [one.cpu or 0.0 for one in usage]
    assert 0.2 <= seconds[2] < 2.0
    assert max(seconds[0], seconds[3]) < 0.2
    if executor == "inline":  # a peak would be that of the driver
        assert {one.memory for one in usage} == {None}
    else:
        peaks = [one.memory or 0 for one in usage]
        assert peaks[1] > max(peaks[0], peaks[2], peaks[3]) + 60 * MB
    assert [one.usage for one in st.load_sweep(result.sweep, home=home).trials] == usage

    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    runs = client.search_runs([result.experiment_id], f"tags.`{schema.TAG_KIND}` = 'trial'")
    tags = {int(run.data.tags[schema.TAG_NUMBER]): run.data.tags for run in runs}
    for number, one in enumerate(usage):
        assert float(tags[number][schema.TAG_CPU]) == pytest.approx(one.cpu, rel=1e-5)
        assert tags[number].get(schema.TAG_MEMORY) == (None if one.memory is None else str(one.memory))
    metrics = client.get_run(result.run_id).data.metrics
    assert metrics["cpu_seconds"] == pytest.approx(sum(seconds))
    assert metrics.get("memory_bytes_max") == max((one.memory for one in usage if one.memory is not None), default=None)


def test_of_several_attempts_seconds_are_added_and_the_highest_peak_counts() -> None:
    assert Usage.of_all([Usage(1.0, 5), Usage(0.5, None), Usage(None, 7)]) == Usage(1.5, 7)
    assert Usage.of_all([]) == UNMEASURED
