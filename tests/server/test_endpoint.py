"""The tracking server as people start it: who may write, what is refused, and that nothing of MLflow's is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import requests
from flask import Flask
from mlflow import MlflowClient
from mlflow.entities import RunTag

from sparkml_track import schema
from sparkml_track.errors import TrackingDenied
from sparkml_track.server.endpoint import add_endpoint
from sparkml_track.testing.servers import TrackingServer
from sparkml_track.testing.trackers import sample_child, sample_parent
from sparkml_track.trackers import Tracker, open_tracker
from sparkml_track.trackers._mlflow.bulk.lane import EndpointLane
from sparkml_track.trackers._mlflow.bulk.message import PATH
from sparkml_track.trackers._mlflow.lanes.client import ClientLane
from sparkml_track.trackers._mlflow.lanes.sql import child_id
from tests.server.conftest import ACCOUNTS, ADMIN, PASSWORD

pytestmark = pytest.mark.slow


def opened(server: TrackingServer, account: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    if account:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", account)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", {ADMIN: PASSWORD, **ACCOUNTS}[account])
    return open_tracker(server.uri, home)


def test_an_editor_writes_and_a_reader_and_a_stranger_do_not(
    guarded: TrackingServer, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = opened(guarded, "editor", tmp_path, monkeypatch)
    assert type(editor._lane) is EndpointLane  # type: ignore[attr-defined]
    run_id, found = editor.start(sample_parent())
    editor.publish(run_id, [sample_child(number) for number in range(3)])
    assert found == experiment
    with pytest.raises(TrackingDenied):
        opened(guarded, "", tmp_path, monkeypatch)
    reader = opened(guarded, "reader", tmp_path, monkeypatch)
    with pytest.raises(TrackingDenied, match="refused the credentials"):
        reader.publish(run_id, [sample_child(3)])
    assert sorted(child.number for child in reader.children(run_id)) == [0, 1, 2]


@pytest.mark.parametrize(("account", "status"), [("", 401), ("reader", 403), ("editor", 200), (ADMIN, 200)])
def test_a_batch_needs_what_its_runs_need_one_by_one(
    guarded: TrackingServer,
    experiment: str,
    account: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parent, _ = opened(guarded, "editor", tmp_path, monkeypatch).start(sample_parent(f"of-{account}"))
    known = {ADMIN: PASSWORD, **ACCOUNTS}
    auth = (account, known[account]) if account else None
    body = {"run_id": parent, "experiment_id": experiment, "children": []}
    answer = requests.post(guarded.uri + PATH, json=body, auth=auth, timeout=20)
    assert answer.status_code == status, answer.text
    by_hand = {"run_id": parent, "key": "mine", "value": "yes"}
    alone = requests.post(f"{guarded.uri}/api/2.0/mlflow/runs/set-tag", json=by_hand, auth=auth, timeout=20)
    assert alone.status_code == status, "MLflow's own endpoint decides otherwise"


def test_what_the_gate_is_shown_is_what_is_written(guarded: TrackingServer, experiment: str) -> None:
    """JSON may say a thing twice, and two readers may believe two things."""
    auth = ("editor", ACCOUNTS["editor"])
    admin = requests.post(
        f"{guarded.uri}/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}, auth=(ADMIN, PASSWORD), timeout=20
    )
    foreign = admin.json()["run"]["info"]["run_id"]
    plain = json.dumps({"run_id": foreign, "experiment_id": "0", "children": [], "tags": []})
    answer = requests.post(
        guarded.uri + PATH, data=plain, auth=auth, timeout=20, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 403
    # Not called JSON, the gate sees nothing.
    answer = requests.post(guarded.uri + PATH, data=plain, auth=auth, timeout=20)
    assert answer.status_code in {400, 403}
    for twice in (
        f'{{"experiment_id": "{experiment}", ' + plain[1:],
        plain[:-1] + f', "experiment_id": "{experiment}"}}',
    ):
        answer = requests.post(
            guarded.uri + PATH, data=twice, auth=auth, timeout=20, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 403}, answer.text


def test_a_gate_that_reads_other_names_than_the_writer_lets_nothing_through(
    pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Flask("alone")
    add_endpoint(app, PATH, f"sqlite:///{pristine}/mlflow.db")
    sent = {"run_id": "a" * 32, "experiment_id": "0", "children": []}
    monkeypatch.setattr("flask.Request.get_json", lambda *_, **__: {**sent, "experiment_id": "1"})
    answer = app.test_client().post(PATH, json=sent)
    assert (answer.status_code, answer.json["message"]) == (
        400,
        "the batch names its parent run and its experiment once each",
    )


def test_what_is_too_large_for_a_call_is_told_apart(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender then goes on child run by child run."""
    app = Flask("alone")
    add_endpoint(app, PATH, f"sqlite:///{pristine}/mlflow.db")
    sent = {"run_id": "a" * 32, "experiment_id": "0", "children": [[0, "b" * 32, False, ["c"] * 201]]}
    assert app.test_client().post(PATH, json=sent).status_code == 413
    monkeypatch.setattr("sparkml_track.server.endpoint.MAX_BYTES", 10)
    answer = app.test_client().post(PATH, json={**sent, "children": []})
    assert answer.status_code == 413 and "allowed are 10 in one call" in answer.json["message"]


def test_what_is_wrong_is_answered_with_a_sentence(guarded: TrackingServer) -> None:
    answer = requests.post(guarded.uri + PATH, json={"run_id": 1}, auth=(ADMIN, PASSWORD), timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert answer.json()["message"].startswith("run_id: ")


def test_head_writes_nothing(
    guarded: TrackingServer, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = opened(guarded, "editor", tmp_path, monkeypatch).start(sample_parent("of-head"))
    child = child_id(parent, 0)
    body = {
        "run_id": parent,
        "experiment_id": experiment,
        "children": [[0, child, False, []]],
        "runs": [["n", "u", "RUNNING", 1, None, 0]],
    }
    for auth in (("reader", ACCOUNTS["reader"]), (ADMIN, PASSWORD)):
        requests.head(guarded.uri + PATH, json=body, auth=auth, timeout=20)
    seen = requests.get(
        f"{guarded.uri}/api/2.0/mlflow/runs/get", params={"run_id": child}, auth=(ADMIN, PASSWORD), timeout=20
    )
    assert seen.status_code == 404


def test_models_need_what_mlflow_asks_for_them(
    guarded: TrackingServer, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = opened(guarded, "editor", tmp_path, monkeypatch).start(sample_parent("of-models"))
    model = ["m-" + "c" * 32, "n", 1, 2, 2, None, [], [], 0]
    body = {
        "run_id": parent,
        "experiment_id": experiment,
        "children": [[0, child_id(parent, 0), False, []]],
        "runs": [["n", "u", "RUNNING", 1, None, 0]],
        "tags": [[schema.TAG_PARENT, parent, 0], [schema.TAG_NUMBER, "0", 0]],
        "models": [model],
    }

    def post(account: str) -> int:
        auth = (account, ACCOUNTS[account])
        return requests.post(guarded.uri + PATH, json=body, auth=auth, timeout=20).status_code

    assert post("editor") == 200
    denied = {"username": "editor", "permission": "DENY", "resource_type": "logged_model", "resource_id": "*"}
    path = f"{guarded.uri}/api/3.0/mlflow/users/permissions/grant"
    assert requests.post(path, json=denied, auth=(ADMIN, PASSWORD), timeout=20).status_code == 200
    assert post("editor") == 403
    body["models"] = []
    assert post("editor") == 200


def test_accounts_and_keys_are_the_users_alone(guarded: TrackingServer) -> None:
    folder = guarded.home / "server"
    assert {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir() if path.suffix != ".db"} == {
        "secret-key": 0,
        "admin-password": 0,
        "auth.ini": 0,
    }
    assert PASSWORD not in guarded.log and (folder / "secret-key").read_text() not in guarded.log


def test_a_server_started_again_without_the_endpoint_goes_on(pristine: Path, tmp_path: Path) -> None:
    """MLflow's own server on the same database: the client writes, and nothing is there twice."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(pristine / "mlflow.db", folder / "mlflow.db")
    ours = TrackingServer(folder, bulk=True, environ={"SPARKML_HOME": str(folder)})
    with ours:
        tracker = open_tracker(ours.uri, tmp_path)
        run_id, _ = tracker.start(sample_parent())
        tracker.publish(run_id, [sample_child(0)])
    theirs = TrackingServer(folder)
    with theirs:
        other = open_tracker(theirs.uri, tmp_path)
        assert type(other._lane) is ClientLane  # type: ignore[attr-defined]
        other.publish(run_id, [sample_child(0), sample_child(1)])
        client = MlflowClient(theirs.uri)
        client.log_batch(child_id(run_id, 0), tags=[RunTag("note", "seen")])
    with ours:
        assert tracker.publish(run_id, [sample_child(2)])
        assert sorted(child.number for child in tracker.children(run_id)) == [0, 1, 2]
        assert tracker.reconcile(run_id) == 0
        client = MlflowClient(ours.uri)
        runs = client.search_runs([client.get_run(run_id).info.experiment_id], f"tags.`{schema.TAG_SWEEP}` != ''")
        assert len(runs) == 4
