"""Faults 31 to 37: what a tracking server and the way to it do, before a real MLflow server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import TrackingDenied, TrackingUnavailable
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.testing.servers import TrackingServer
from tests.faults.here import Moments, slow_square, sweep
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.slow


def through(proxy: Proxy, name: str) -> dict[str, Any]:
    return {"tracking": Tracking(proxy.uri), "name": name, "objective": slow_square, "max_trials": 12}


def only_sweep(home: Path) -> str:
    (found,) = (path.name for path in (home / "journal").iterdir())
    return found


def test_lost_answers_to_create_and_log_batch_leave_one_run_and_one_row(
    proxy: Proxy, server: TrackingServer, tmp_path: Path
) -> None:
    def lose() -> None:
        proxy.lose.update({"runs/create": 2, "runs/log-batch": 2, "runs/update": 1})

    moments = Moments().at("parent", 1, lose)
    result = sweep(tmp_path, moments, **through(proxy, "lost"))
    assert proxy.lost["runs/create"] == 2 and proxy.lost["runs/log-batch"] >= 1, proxy.lost
    assert assert_accounting(tmp_path, result.sweep, server.uri)["finished"] == 12
    client = MlflowClient(server.uri)
    runs = client.search_runs([result.experiment_id], f"tags.`mlflow.parentRunId` = '{result.run_id}'")
    assert len(runs) == 12
    for run in runs:
        history = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")]
        assert len(history) == len(set(history)) == 2, history
    assert verify(result.sweep, home=tmp_path, tracking_uri=server.uri).differences == []


@pytest.mark.parametrize("fault", ["503", "429", "hole", "stopped"])
def test_a_store_that_goes_away_delays_publishing_and_loses_nothing(
    fault: str, proxy: Proxy, server: TrackingServer, tmp_path: Path
) -> None:
    def begin() -> None:
        if fault == "stopped":
            server.stop()
        elif fault == "hole":
            proxy.hole = True
        else:
            proxy.refuse = int(fault)

    def end() -> None:
        proxy.hole, proxy.refuse = False, 0
        if fault == "stopped":
            server.start()

    moments = Moments().at("received", 2, begin).at("received", 10, end)
    result = sweep(tmp_path, moments, longest_wait=60.0, **through(proxy, f"away-{fault}"))
    assert assert_accounting(tmp_path, result.sweep, server.uri)["finished"] == 12


def test_a_store_that_stays_away_is_named_after_a_bounded_wait_and_repaired_later(
    proxy: Proxy, server: TrackingServer, tmp_path: Path
) -> None:
    moments = Moments().at("received", 4, lambda: setattr(proxy, "refuse", 503))
    began = time.monotonic()
    with pytest.raises(TrackingUnavailable, match=r"could not be published.*verify --repair away-for-good"):
        sweep(tmp_path, moments, longest_wait=2.0, **through(proxy, "away-for-good"))
    assert time.monotonic() - began < 40
    name = only_sweep(tmp_path)
    found = verify(name, home=tmp_path, tracking_uri=server.uri)
    assert any("has not ended" in line for line in found.differences)
    assert any("was not published" in line for line in found.differences)
    proxy.refuse = 0
    repaired = verify(name, home=tmp_path, tracking_uri=server.uri, repair=True)
    assert repaired.differences == []
    assert repaired.repaired
    assert assert_accounting(tmp_path, name, server.uri)["finished"] == 12


@pytest.mark.parametrize("code", [401, 403])
def test_refused_credentials_end_the_asking_keep_results_and_let_the_sweep_go_on(
    code: int, proxy: Proxy, server: TrackingServer, tmp_path: Path
) -> None:
    given = {**through(proxy, f"denied-{code}"), "max_trials": 40}
    moments = Moments().at("received", 4, lambda: setattr(proxy, "refuse", code))
    with pytest.raises(TrackingDenied, match=r"refused the credentials.*journal of sweep denied"):
        sweep(tmp_path, moments, longest_wait=2.0, **given)
    assert 4 <= moments.seen["accepted"] < 40
    proxy.refuse = 0
    after = Moments()
    result = sweep(tmp_path, after, **given)
    assert result.sweep == only_sweep(tmp_path)
    assert after.seen["accepted"] == 40 - moments.seen["accepted"]
    assert assert_accounting(tmp_path, result.sweep, server.uri)["finished"] == 40


def test_a_closed_port_fails_in_seconds_before_any_trial(tmp_path: Path) -> None:
    moments = Moments()
    began = time.monotonic()
    with pytest.raises(TrackingUnavailable, match="refused"):
        sweep(tmp_path, moments, tracking=Tracking("http://127.0.0.1:9"))
    assert time.monotonic() - began < 15
    assert not moments.seen["asked"]


def test_a_child_run_that_a_person_deleted_is_reported_and_stays_deleted(
    proxy: Proxy, server: TrackingServer, tmp_path: Path
) -> None:
    result = sweep(tmp_path, **{**through(proxy, "deleted"), "max_trials": 3})
    client = MlflowClient(server.uri)
    found = client.search_runs([result.experiment_id], f"tags.`sparkml.key` = '{result.sweep}/1'")
    client.delete_run(found[0].info.run_id)
    for repair in (False, True):
        checked = verify(result.run_id, home=tmp_path, tracking_uri=server.uri, repair=repair)
        assert any("trial 1: its child run was published and is gone" in line for line in checked.differences)
    client.restore_run(found[0].info.run_id)
    assert verify(result.run_id, home=tmp_path, tracking_uri=server.uri).differences == []
