"""Workers and a broker that speak TLS, on plain processes; the whole case runs over it in test_conformance_clusters."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.errors import SetupError
from sparkml_track.executors import Ended, Reported, Work
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.executors._resident.slot import ListenAddress, open_broker
from sparkml_track.testing.executors import attempt, events_until
from sparkml_track.trial import State

LISTEN = ListenAddress("127.0.0.1", tls=True)


def test_objective_reports_answers_and_artifacts_pass_through_tls(tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        from pathlib import Path

        (Path(trial.artifact_dir) / "large.bin").write_bytes(bytes(range(256)) * 12_288)
        for step in range(5):
            trial.report({"loss": float(step)}, step=step)
            if trial.should_stop():
                return 0.5
        return 0.1

    work = Work(objective, spool=str(tmp_path))
    executor = ResidentExecutor(work, Fleet(LocalLauncher(1), f"test-{os.urandom(4).hex()}", listen=LISTEN))
    try:
        executor.submit(attempt(0))
        events = events_until(executor, 1, decide=lambda event: event.report.step == 2)
    finally:
        executor.close()
    assert [event.report.step for event in events if isinstance(event, Reported)] == [0, 1, 2]
    (outcome,) = (event.outcome for event in events if isinstance(event, Ended))
    assert (outcome.state, outcome.metrics) == (State.PRUNED, {"loss": 0.5})
    assert (Path(outcome.artifacts) / "large.bin").read_bytes() == bytes(range(256)) * 12_288


def test_each_broker_has_a_certificate_of_its_own_and_no_key_stays_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened = [open_broker(b"secret", LISTEN, shared_host=False) for _ in range(2)]
    for broker, _ in opened:
        broker.close()
    assert len({certificate for _, certificate in opened}) == 2
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_that_makes_certificates_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sparkml_track.executors._resident.certificate", None)
    with pytest.raises(SetupError, match=r"spark\.sparkml\.broker\.tls .*install the package cryptography"):
        open_broker(b"secret", LISTEN, shared_host=False)
