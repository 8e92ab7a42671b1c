"""Other versions of packages on the slots."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
import pytest

from sparkml_track.executors import Executor, Work, open_executor
from sparkml_track.executors._attempts.package_versions import Packages
from sparkml_track.executors._jobs.executor import JobsExecutor
from sparkml_track.executors._jobs.submitter import LocalSubmitter
from sparkml_track.testing.executors import attempt, outcomes

SAID = "slots have lightgbm 9.9 (seen on {host}), the driver has 0.1: results may differ from those of the driver; "


def opened(name: str, work: Work) -> Executor:
    return JobsExecutor(work, LocalSubmitter(1), "test-packages") if name == "jobs" else open_executor(name, work, None)


@pytest.mark.parametrize("name", ["processes", "jobs"])
def test_another_version_on_the_slots_is_told_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lightgbm.py").write_text("__version__ = '9.9'\ndef objective(trial): return 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import lightgbm

    monkeypatch.setattr(lightgbm, "__version__", "0.1")
    executor = opened(name, Work(lightgbm.objective, parallelism=1))
    try:
        for number in range(2):
            executor.submit(attempt(number))
        host = outcomes(executor, 2)[0].host
    finally:
        executor.close()
        del sys.modules["lightgbm"]
    assert caplog.text.count(SAID.format(host=host)) == 1


def test_what_is_the_same_or_is_no_mapping_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    for versions in ({"numpy": numpy.__version__, "torch": "1"}, None, "numpy", [1]):
        Packages().hear("h", versions)
    assert caplog.text == ""
