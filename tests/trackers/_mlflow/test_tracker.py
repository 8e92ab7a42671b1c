from __future__ import annotations

import fcntl
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow.data
import pytest
import requests
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import ViewType

from sparkml_track import schema
from sparkml_track.errors import TrackingDenied, TrackingError, TrackingSchemaError, TrackingUnavailable
from sparkml_track.testing.trackers import TrackerCase, sample_child, sample_nested, sample_parent
from sparkml_track.trackers import ParentEnd, Tracker, default_uri
from sparkml_track.trackers import open_tracker as really_open
from sparkml_track.trackers._mlflow.bulk.lane import EndpointLane
from sparkml_track.trackers._mlflow.lanes import tables
from sparkml_track.trackers._mlflow.lanes.client import ClientLane
from sparkml_track.trackers._mlflow.lanes.postgres import PostgresLane
from sparkml_track.trackers._mlflow.lanes.sqlite import SqliteLane
from sparkml_track.trackers._mlflow.tracker import MlflowTracker
from sparkml_track.trial import State

pytestmark = pytest.mark.slow

_opened: list[Tracker] = []


def open_tracker(uri: str | None, home: Path) -> Tracker:
    _opened.append(really_open(uri, home))
    return _opened[-1]


@pytest.fixture(autouse=True)
def close_all() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path)
    with db:
        yield db
    db.close()


class MlflowCase(TrackerCase):
    uri: str

    def sweep(self) -> str:
        return uuid.uuid4().hex

    def artifacts(self, tracker: Tracker, run_id: str) -> Mapping[str, str]:
        folder = Path(download_artifacts(run_id=run_id, tracking_uri=self.uri))
        return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}

    def test_a_deleted_run_inside_a_trials_comes_back_once(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, experiment = tracker.start(sample_parent(sweep))
        tracker.publish(run_id, [sample_nested(0)])
        ids = {one.id for one in sample_nested(0).logged.nested}
        client = MlflowClient(self.uri)
        query = f"tags.`{schema.TAG_SWEEP}` = '{sweep}' AND run_name = 'fold 1'"
        (gone,) = client.search_runs([experiment], query)
        client.delete_run(gone.info.run_id)
        assert len(tracker.nested(run_id)) == len(ids) - 1
        assert tracker.restore_nested(run_id, ids) == 1
        assert tracker.nested(run_id) == dict.fromkeys(ids, 1)
        assert tracker.restore_nested(run_id, ids) == 0
        tracker.close()


class TestBulk(MlflowCase):
    @pytest.fixture(autouse=True)
    def store(self, home: Path) -> None:
        self.home = home
        self.uri = default_uri(home)

    def open(self) -> Tracker:
        tracker = open_tracker(None, self.home)
        assert isinstance(tracker, MlflowTracker) and type(tracker._lane) is SqliteLane
        return tracker


class TestClient(MlflowCase):
    @pytest.fixture(autouse=True)
    def store(self, home: Path) -> None:
        self.home = home
        self.uri = default_uri(home)

    def open(self) -> Tracker:
        return MlflowTracker(ClientLane(self.uri, str(self.home / "artifacts")))


@pytest.mark.parametrize("member", ["bulk", "client"])
def test_late_artifacts_make_no_deleted_child_run_anew_and_take_back_what_an_earlier_try_said(
    member: str, home: Path, tmp_path: Path
) -> None:
    def opened() -> Tracker:
        uri = default_uri(home)
        return open_tracker(None, home) if member == "bulk" else MlflowTracker(ClientLane(uri, str(home / "artifacts")))

    tracker = opened()
    run_id, _ = tracker.start(sample_parent())
    children = [sample_child(0), sample_child(1)]
    ids = tracker.publish(run_id, children)
    client = MlflowClient(default_uri(home))
    client.delete_run(ids[0])
    client.set_tag(ids[1], schema.TAG_ARTIFACTS, "files could not be kept: no space")
    for one in (tracker, opened()):
        late = [replace(child, artifacts=tmp_path / f"left-{child.number}") for child in children]
        for child in late:
            assert child.artifacts is not None
            child.artifacts.mkdir(exist_ok=True)
            (child.artifacts / "model.txt").write_text("weights")
        assert one.publish(run_id, late) == ids
        assert [child.number for child in one.children(run_id)] == [1]
        assert one.reconcile(run_id) == 0
        one.reopen(run_id, [0])
        assert client.get_run(ids[0]).info.lifecycle_stage == "deleted"
        assert (tmp_path / "left-0").exists(), "nobody has a copy"
        assert schema.TAG_ARTIFACTS not in client.get_run(ids[1]).data.tags
        assert [file.path for file in client.list_artifacts(ids[1])] == ["log.txt", "model.txt"]


class TestServer(MlflowCase):
    @pytest.fixture(autouse=True)
    def store(self, server: str, tmp_path: Path) -> None:
        self.uri = server
        self.home = tmp_path

    def open(self) -> Tracker:
        return open_tracker(self.uri, self.home)


class TestEndpoint(MlflowCase):
    @pytest.fixture(autouse=True)
    def store(self, bulk_server: str, tmp_path: Path) -> None:
        self.uri = bulk_server
        self.home = tmp_path

    def open(self) -> Tracker:
        tracker = open_tracker(self.uri, self.home)
        assert isinstance(tracker, MlflowTracker) and type(tracker._lane) is EndpointLane
        return tracker


@pytest.fixture(scope="module")
def shared_postgres(postgres: Callable[[], str]) -> str:
    return postgres()


class TestPostgres(MlflowCase):
    @pytest.fixture(autouse=True)
    def store(self, shared_postgres: str, tmp_path: Path) -> None:
        self.uri = shared_postgres
        self.home = tmp_path

    def open(self) -> Tracker:
        tracker = open_tracker(self.uri, self.home)
        assert isinstance(tracker, MlflowTracker) and type(tracker._lane) is PostgresLane
        return tracker


STATES = (State.FINISHED, State.PRUNED, State.FAILED, State.KILLED, State.RUNNING)


def _fields(client: MlflowClient, run_id: str, parent: str) -> dict[str, object]:
    """Everything the public client says about a run, without what names the run or its parent."""
    run = client.get_run(run_id)
    tags = {name: value for name, value in run.data.tags.items() if value != parent}
    history = {
        name: sorted((m.step, m.timestamp, repr(m.value)) for m in client.get_metric_history(run_id, name))
        for name in run.data.metrics
    }
    info = {name: value for name, value in dict(run.info).items() if name not in {"run_id", "run_uuid"}}
    info["artifact_uri"] = info["artifact_uri"].replace(run_id, "ID")
    metrics = {name: repr(value) for name, value in run.data.metrics.items()}
    return {"info": info, "tags": tags, "params": run.data.params, "metrics": metrics, "history": history}


def test_bulk_and_client_write_the_same_child_runs(home: Path) -> None:
    bulk = open_tracker(None, home)
    slow = MlflowTracker(ClientLane(default_uri(home), str(home / "artifacts")))
    client = MlflowClient(default_uri(home))
    children = [sample_child(number, state) for number, state in enumerate(STATES[:4])]
    written = []
    for tracker in (bulk, slow):
        parent, _ = tracker.start(sample_parent())
        ids = tracker.publish(parent, children)
        written.append([_fields(client, ids[number], parent) for number in sorted(ids)])
        client.delete_run(parent)
    assert written[0] == written[1]
    assert written[0][1]["tags"]["sparkml.state"] == "pruned"
    assert written[0][1]["info"]["status"] == "KILLED"
    assert len(written[0][0]["history"]["loss"]) == 4


def test_mlflow_nests_the_children_and_shows_them_under_their_names(home: Path) -> None:
    tracker = open_tracker(None, home)
    parent, experiment = tracker.start(sample_parent())
    tracker.publish(parent, [sample_child(number) for number in range(3)])
    client = MlflowClient(default_uri(home))
    runs = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}' AND metrics.loss < 0.3")
    assert sorted(run.info.run_name for run in runs) == ["trial-0", "trial-1", "trial-2"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [run.info.end_time - run.info.start_time for run in runs] == [1500] * 3
    # The client goes on from what the bulk member wrote.
    client.log_metric(runs[0].info.run_id, "later", 1.0)
    client.set_tag(runs[0].info.run_id, "note", "seen")


def test_the_parent_run_has_its_data_with_table_versions(home: Path) -> None:
    tracker = open_tracker(None, home)
    parent, _ = tracker.start(sample_parent())
    run = MlflowClient(default_uri(home)).get_run(parent)
    inputs = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    source = mlflow.data.get_source(inputs["train"])
    assert (source.path, source.delta_table_version) == ("/tables/sales/train", 0)
    assert inputs["train"].name == "sales.train"
    assert [(tag.key, tag.value) for one in run.inputs.dataset_inputs for tag in one.tags[1:]] == [
        (f"{schema.TAG_ROWS}train", "100")
    ]
    assert mlflow.data.get_source(inputs["valid"])._get_source_type() == "code"
    assert run.info.run_name == "name of sweep-1"
    assert run.data.tags[schema.TAG_KIND] == "sweep"


def test_the_ended_parent_run_has_metrics_state_and_a_table_the_ui_shows(home: Path) -> None:
    tracker = open_tracker(None, home)
    parent, _ = tracker.start(sample_parent())
    table = '{"columns":["number"],"data":[[0]]}'
    tracker.finish(parent, ParentEnd(State.KILLED, {"best": 1.0}, {"a": "b"}, {schema.ARTIFACT_TRIALS: table}, 2e9))
    run = MlflowClient(default_uri(home)).get_run(parent)
    assert (run.info.status, run.info.end_time, run.data.metrics) == ("KILLED", 2_000_000_000_000, {"best": 1.0})
    assert run.data.tags[schema.TAG_STATE] == "killed"
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "sweep/trials.json", "type": "table"}]


def test_a_parent_deleted_by_a_person_is_named(home: Path) -> None:
    tracker = open_tracker(None, home)
    parent, _ = tracker.start(sample_parent())
    MlflowClient(default_uri(home)).delete_run(parent)
    with pytest.raises(TrackingError, match="was deleted"):
        tracker.publish(parent, [sample_child(0)])


def test_a_deleted_experiment_is_named(home: Path) -> None:
    tracker = open_tracker(None, home)
    client = MlflowClient(default_uri(home))
    client.delete_experiment(client.create_experiment("conformance"))
    with pytest.raises(TrackingError, match="'conformance' is deleted"):
        tracker.start(sample_parent())


def test_a_batch_that_fails_half_way_leaves_nothing(home: Path) -> None:
    tracker = open_tracker(None, home)
    parent, _ = tracker.start(sample_parent())
    with database(home / "mlflow.db") as db:
        db.execute("CREATE TRIGGER no BEFORE INSERT ON latest_metrics BEGIN SELECT RAISE(ABORT, 'no room'); END")
    with pytest.raises(TrackingError, match="no room"):
        tracker.publish(parent, [sample_child(0), sample_child(1)])
    with database(home / "mlflow.db") as db:
        db.execute("DROP TRIGGER no")
        assert db.execute("SELECT count(*) FROM params").fetchone()[0] == 3  # the parent's
    tracker.publish(parent, [sample_child(0), sample_child(1)])
    assert len(list(tracker.children(parent))) == 2


def test_a_locked_database_is_waited_for_then_named(home: Path) -> None:
    uri = default_uri(home)
    tracker = MlflowTracker(SqliteLane(uri, str(home / "artifacts"), home / "mlflow.db", longest_wait=0.2))
    parent, _ = tracker.start(sample_parent())
    other = sqlite3.connect(home / "mlflow.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TrackingUnavailable, match="locked"):
        tracker.publish(parent, [sample_child(0)])
    other.execute("ROLLBACK")
    other.close()
    assert tracker.publish(parent, [sample_child(0)])
    tracker.close()


def test_a_child_made_by_a_server_is_completed_under_its_own_id(home: Path) -> None:
    slow = MlflowTracker(ClientLane(default_uri(home), str(home / "artifacts")))
    parent, _ = slow.start(sample_parent())
    running = slow.publish(parent, [sample_child(0, State.RUNNING)])
    bulk = open_tracker(None, home)
    assert bulk.publish(parent, [sample_child(0), sample_child(1)])[0] == running[0]
    assert {one.number for one in bulk.children(parent)} == {0, 1}
    later = MlflowTracker(ClientLane(default_uri(home), str(home / "artifacts")))
    assert later.publish(parent, [sample_child(1)])[1] == bulk.publish(parent, [sample_child(1)])[1]


def test_two_runs_of_one_lost_answer_become_one(home: Path) -> None:
    slow = MlflowTracker(ClientLane(default_uri(home), str(home / "artifacts")))
    parent, experiment = slow.start(sample_parent())
    client = MlflowClient(default_uri(home))
    tags = {"mlflow.parentRunId": parent, schema.TAG_NUMBER: "0", schema.TAG_STATE: "running"}
    twins = [client.create_run(experiment, tags=tags).info.run_id for _ in range(2)]
    kept = slow.publish(parent, [sample_child(0)])[0]
    assert kept in twins
    assert [one.run_id for one in slow.children(parent)] == [kept]
    assert len(client.search_runs([experiment], "", run_view_type=ViewType.DELETED_ONLY)) == 1


# ---------------------------------------------------------------------------------------------------- opening


def test_a_new_home_gets_a_database_and_keeps_all_artifacts_inside(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    tracker = open_tracker(None, home)
    assert (home / "mlflow.db").is_file()
    tracker.start(sample_parent())
    client = MlflowClient(default_uri(home))
    places = {one.name: one.artifact_location for one in client.search_experiments()}
    assert all(place.startswith(str(home / "artifacts")) for place in places.values())
    assert set(places) == {"Default", "conformance"}


def _set_revision(home: Path, revision: str) -> None:
    with database(home / "mlflow.db") as db:
        db.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_a_database_of_another_schema_is_refused_with_the_command(home: Path) -> None:
    _set_revision(home, "a5b4c3d2e1f0")
    with pytest.raises(TrackingSchemaError, match=r"mlflow db upgrade sqlite:///.*mlflow\.db"):
        open_tracker(None, home)


def test_an_unknown_schema_goes_through_the_client_with_one_warning(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "KNOWN_REVISIONS", {"other": 1})
    with pytest.warns(UserWarning, match="does not know") as seen:
        tracker = open_tracker(None, home)
    assert len(seen) == 1
    assert isinstance(tracker, MlflowTracker) and type(tracker._lane) is ClientLane


def test_with_workspaces_rows_are_left_to_mlflow_and_the_warning_says_why(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    with pytest.warns(UserWarning, match="MLFLOW_ENABLE_WORKSPACES is on") as seen:
        tracker = open_tracker(None, home)
    assert len(seen) == 1
    assert isinstance(tracker, MlflowTracker) and type(tracker._lane) is ClientLane


def test_files_that_are_no_mlflow_database_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is not a database, whatever it is called, and long enough to be read")
    with pytest.raises(TrackingError, match="not a database"):
        open_tracker(None, tmp_path)
    other = tmp_path / "other.db"
    with database(other) as db:
        db.execute("CREATE TABLE mine (a)")
    with pytest.raises(TrackingError, match="none of MLflow's"):
        open_tracker(f"sqlite:///{other}", tmp_path)
    with pytest.raises(TrackingError, match="is not a file"):
        open_tracker("sqlite:///:memory:", tmp_path)


def test_opening_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    code = (
        "import logging, sys; from pathlib import Path; import sparkml_track.trackers as t;"
        "assert 'mlflow' not in sys.modules;"
        f"x = t.open_tracker(None, Path({str(tmp_path / 'h')!r})); assert 'mlflow' in sys.modules; x.close();"
        "from mlflow.telemetry import get_telemetry_client as c; assert c() is None"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PYTEST", "CI"))}
    with tempfile.TemporaryDirectory() as short:  # where no database is kept, so that MLflow makes one
        env["TMPDIR"] = short
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---------------------------------------------------------------------------------------------------- servers


def test_a_server_that_is_away_is_named_without_secrets(tmp_path: Path) -> None:
    uri = "http://ada:s3cr3t%21pw@127.0.0.1:9/"
    with pytest.raises(TrackingUnavailable, match=r"http://\*\*\*@127.0.0.1:9/ is not available.*refused") as caught:
        open_tracker(uri, tmp_path)
    assert "s3cr3t" not in str(caught.value)
    assert "ada" not in str(caught.value)
    assert caught.value.__cause__ is None


class _Proxy(BaseHTTPRequestHandler):
    """Passes requests on; loses the answer to the first ``runs/create``; refuses strangers when told to.

    ``odd`` is the end of a path, and what the first request to it is answered with, not passed on.
    """

    target = ""
    lose = itertools.count()
    refuse = 0
    odd = ("", b"")
    said_odd = False

    def do_GET(self) -> None:
        self._pass("GET")

    def do_POST(self) -> None:
        self._pass("POST")

    def do_PUT(self) -> None:
        self._pass("PUT")

    def _pass(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
        if self.refuse:
            self.send_error(self.refuse)
            return
        path, body_then = self.odd
        if path and self.path.partition("?")[0].endswith(path) and not self.said_odd:
            type(self).said_odd = True
            self.send_response(200)
            self.send_header("Content-Length", str(len(body_then)))
            self.end_headers()
            self.wfile.write(body_then)
            return
        answer = requests.request(method, self.target + self.path, data=body, headers=headers, timeout=30)
        if self.path.endswith("runs/create") and next(self.lose) == 0:
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *args: object) -> None:
        pass


def _proxy(
    target: str, refuse: int = 0, lose: int = 0, odd: tuple[str, bytes] = ("", b"")
) -> tuple[ThreadingHTTPServer, str]:
    settings = {"target": target, "lose": itertools.count(lose), "refuse": refuse, "odd": odd}
    handler = type("Proxy", (_Proxy,), settings)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    return httpd, f"http://127.0.0.1:{httpd.server_port}"


def test_a_lost_answer_leaves_one_parent_and_one_child(server: str, tmp_path: Path) -> None:
    sweep = uuid.uuid4().hex
    httpd, uri = _proxy(server)
    tracker = open_tracker(uri, tmp_path)
    with pytest.raises(TrackingUnavailable):
        tracker.start(sample_parent(sweep))
    parent, experiment = tracker.start(sample_parent(sweep))
    httpd.shutdown()
    httpd.server_close()
    second, uri = _proxy(server)
    tracker = open_tracker(uri, tmp_path)
    with pytest.raises(TrackingUnavailable):
        tracker.publish(parent, [sample_child(0)])
    tracker.publish(parent, [sample_child(0)])
    second.shutdown()
    second.server_close()
    runs = MlflowClient(server).search_runs([experiment], f"tags.`{schema.TAG_SWEEP}` = '{sweep}'")
    assert len(runs) == 2


@pytest.mark.parametrize("body", [b"<html>\n<body>Please sign in", b"{}"], ids=["html", "empty"])
@pytest.mark.parametrize(
    "path",
    ["experiments/search", "experiments/get-by-name", "runs/search", "runs/create", "runs/get", "runs/log-batch"],
)
def test_one_odd_answer_is_tried_again_and_leaves_one_parent_and_one_child(
    path: str, body: bytes, server: str, tmp_path: Path
) -> None:
    sweep = uuid.uuid4().hex
    really_open(server, tmp_path).start(sample_parent(uuid.uuid4().hex))  # the experiment is there
    httpd, uri = _proxy(server, lose=1, odd=(path, body))
    tracker = open_tracker(uri, tmp_path)
    parent, experiment = tracker.start(sample_parent(sweep))
    tracker.publish(parent, [sample_child(0)])
    assert tracker.start(sample_parent(sweep))[0] == parent
    assert tracker.parent(parent).sweep == sweep
    httpd.shutdown()
    httpd.server_close()
    runs = MlflowClient(server).search_runs([experiment], f"tags.`{schema.TAG_SWEEP}` = '{sweep}'")
    assert len(runs) == 2
    assert httpd.RequestHandlerClass.said_odd  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", [401, 403])
def test_refused_credentials_are_their_own_error(code: int, tmp_path: Path) -> None:
    httpd, uri = _proxy("", refuse=code)
    with pytest.raises(TrackingDenied, match="MLFLOW_TRACKING_TOKEN"):
        open_tracker(uri, tmp_path)
    httpd.shutdown()
    httpd.server_close()


def test_the_server_prints_nothing_through_us(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        tracker = open_tracker(server, tmp_path)
        parent, _ = tracker.start(sample_parent(uuid.uuid4().hex))
        tracker.publish(parent, [sample_child(0)])
        tracker.finish(parent, ParentEnd(State.FINISHED, ended=2e9))
    assert capsys.readouterr() == ("", "")


def test_closing_does_not_wait_for_a_call_that_was_given_up(tmp_path: Path) -> None:
    """It may wait for another writer for 20 s, and signals are not heard meanwhile."""
    tracker = open_tracker(None, tmp_path)
    run_id, _ = tracker.start(sample_parent())
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        given_up = threading.Thread(target=lambda: tracker.reopen(run_id, [0]), daemon=True)
        given_up.start()
        while not tracker._lane._waits:  # type: ignore[attr-defined]
            time.sleep(0.001)
        began = time.monotonic()
        tracker.close()
        assert time.monotonic() - began < 5
        other.execute("ROLLBACK")
        given_up.join(30)


@pytest.mark.parametrize("kept", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_six_that_start_at_once_on_a_new_home_all_get_its_database(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, kept: bool
) -> None:
    env = dict(os.environ)
    if not kept:  # no folder for a copy that others could begin with: each would make the tables itself
        short = Path(tempfile.mkdtemp())
        (short / f"sparkml-{os.getuid()}").mkdir()
        (short / f"sparkml-{os.getuid()}").chmod(0o777)
        env["TMPDIR"] = str(short)
    code = (
        "import sys, pathlib; from sparkml_track.trackers import open_tracker; sys.stdin.read(1);"
        f"open_tracker(None, pathlib.Path({str(tmp_path)!r})).close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        for _ in range(6)
    ]
    for process in started:  # each is ready only when it reads
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 6, said


def test_a_database_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as half_made:
        half_made.execute("create table alembic_version (version_num text)")
        half_made.execute("insert into alembic_version values ('an-early-revision')")
        half_made.commit()
    folder, waits = os.open(tmp_path, os.O_RDONLY), threading.Event()
    fcntl.flock(folder, fcntl.LOCK_EX)
    opened: list[Tracker] = []

    def other() -> None:
        waits.set()
        opened.append(open_tracker(None, tmp_path))

    thread = threading.Thread(target=other)
    thread.start()
    assert waits.wait(10)
    path.unlink()  # as if the first one began anew; it has the lock
    fcntl.flock(folder, fcntl.LOCK_UN)
    thread.join(60)
    os.close(folder)
    assert len(opened) == 1
    opened[0].close()


def test_a_sweep_into_a_file_that_is_there_imports_no_mlflow(home: Path) -> None:
    """It takes two seconds and 150 MB, which nobody wants to wait for before the first trial."""
    code = """
import sys
from pathlib import Path
from sparkml_track.testing.trackers import sample_child, sample_parent
from sparkml_track.trackers import ParentEnd, open_tracker
from sparkml_track.trial import State
tracker = open_tracker(None, Path(sys.argv[1]))
run_id, _ = tracker.start(sample_parent())
tracker.publish(run_id, [sample_child(number) for number in range(3)])
tracker.finish(run_id, ParentEnd(State.FINISHED, {"best": 1.0}, {"a": "b"}, {"sweep/x.txt": "text"}, 1.7e9))
assert tracker.find("sweep-1") == run_id and len(list(tracker.children(run_id))) == 3
tracker.close()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"mlflow", "sqlalchemy", "requests", "pandas"}))
"""
    done = subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_schema_that_files_tell_is_that_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.store.db.utils import _get_latest_schema_revision

    tables.schema_head.cache_clear()
    assert tables.schema_head() == _get_latest_schema_revision()
    assert tables.schema_head() in tables.KNOWN_REVISIONS
    # Of another release there may be one file more.
    monkeypatch.setattr(tables, "KNOWN_REVISIONS", {"dc11669786a5": 1})
    tables.schema_head.cache_clear()
    assert tables.schema_head() == _get_latest_schema_revision()
    tables.schema_head.cache_clear()
