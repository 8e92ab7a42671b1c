"""The conformance case of lanes: each keeps the contract, and all leave the same rows in the store."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from mlflow import MlflowClient
from sqlalchemy import text

from sparkml_track import schema
from sparkml_track.adapters.mlflow.datasets import inputs_of
from sparkml_track.adapters.mlflow.values import point
from sparkml_track.errors import TrackingError
from sparkml_track.testing.trackers import sample_child, sample_parent
from sparkml_track.trackers import ChildRun, ParentEnd, default_uri
from sparkml_track.trackers._mlflow.bulk.lane import EndpointLane
from sparkml_track.trackers._mlflow.bulk.message import received
from sparkml_track.trackers._mlflow.bulk.receiver import Receiver
from sparkml_track.trackers._mlflow.lanes import tables
from sparkml_track.trackers._mlflow.lanes.client import ClientLane
from sparkml_track.trackers._mlflow.lanes.database import Database
from sparkml_track.trackers._mlflow.lanes.lane import Entry, Lane
from sparkml_track.trackers._mlflow.lanes.postgres import PostgresLane
from sparkml_track.trackers._mlflow.lanes.sqlite import SqliteLane
from sparkml_track.trackers._mlflow.opening import open_sql
from sparkml_track.trackers._mlflow.tracker import MlflowTracker
from sparkml_track.trackers._rows import Parent, child_tags
from sparkml_track.trial import LoggedMetric, NestedRun, RunLog, State

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")]


@dataclass(frozen=True)
class Store:
    """A database with MLflow's tables; artifacts below ``home``."""

    home: Path
    uri: str

    @property
    def artifacts(self) -> str:
        return str(self.home / "artifacts")


def endpoint(store: Store) -> Lane:
    """The endpoint without a network: messages go through JSON to what the server does with them."""
    opened = open_sql(store.uri, store.artifacts)
    assert opened is not None
    receiver = Receiver(opened)

    class Lane(EndpointLane):
        def close(self) -> None:
            super().close()
            opened.close()

    return Lane(store.uri, store.artifacts, lambda body: receiver.take(received(body)))


class PostgresByTwo(PostgresLane):
    """What large batches take: two connections, and copies."""

    copied = 1
    apart = 2


#: Every lane; the first one is MLflow's own, which the others are compared with.
LANES: dict[str, Callable[[Store], Lane]] = {
    "client": lambda store: ClientLane(store.uri, store.artifacts),
    "sqlite": lambda store: SqliteLane(store.uri, store.artifacts, store.home / "mlflow.db"),
    "endpoint": endpoint,
    "postgres": lambda store: PostgresLane(store.uri, store.artifacts),
    "postgres by two": lambda store: PostgresByTwo(store.uri, store.artifacts),
}


@pytest.fixture
def stores(pristine: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Store]:
    """A new store that a lane leads to."""

    def made(name: str) -> Store:
        home = tmp_path / name
        home.mkdir()
        if name.startswith("postgres"):
            return Store(home, request.getfixturevalue("postgres")())
        shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
        return Store(home, default_uri(home))

    return made


TABLES = (
    "experiments",
    "experiment_tags",
    "runs",
    "params",
    "metrics",
    "latest_metrics",
    "tags",
    "input_tags",
    "datasets",
)
Rows = dict[str, list[tuple[object, ...]]]
Story = Callable[[MlflowTracker, Path], str]

# ------------------------------------------------------------------------------------------------------ rows


def rows_of(store: Store) -> Rows:
    """All columns of all rows, with trials for run ids; what a store makes up itself is left out."""
    engine = sqlalchemy.create_engine(store.uri)
    with engine.connect() as db:

        def tagged(key: str) -> dict[str, str]:
            return dict(map(tuple, db.execute(text("SELECT run_uuid, value FROM tags WHERE key = :key"), {"key": key})))

        names = {run: f"<trial {value}>" for run, value in tagged(schema.TAG_NUMBER).items()}
        names |= {run: f"<nested {value}>" for run, value in tagged(schema.TAG_NESTED).items()}
        names |= {run: "<parent>" for run, value in tagged(schema.TAG_KIND).items() if value == "sweep"}
        names[str(store.home)] = "<home>"
        # But for the experiment that each store is born with.
        db.execute(text("DELETE FROM experiments WHERE experiment_id = 0"))
        rows = {
            table: sorted((_row(row, names) for row in db.execute(text(f"SELECT * FROM {table}")).mappings()), key=repr)
            for table in TABLES
        }
    engine.dispose()
    return rows


def _row(row: Mapping[str, object], names: Mapping[str, str]) -> tuple[object, ...]:
    left_out = {"input_uuid", "dataset_uuid", "deleted_time", "creation_time", "last_update_time"}
    # MLflow's client cannot say where files of a run are: those of a run inside a trial's stay below the trial's.
    inside = names.get(str(row.get("run_uuid")), "").startswith("<nested")
    gone = left_out | {"artifact_uri"} if inside else left_out
    return tuple((key, _named(value, names)) for key, value in row.items() if key not in gone)


def _named(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        for given, shown in names.items():
            value = value.replace(given, shown)
    return value


def lost(child: ChildRun) -> ChildRun:
    return replace(child, state=State.RUNNING, params={**child.params}, metrics={}, duration=0.0, log="")


def started(tracker: MlflowTracker, home: Path) -> str:
    return tracker.start(sample_parent())[0]


def started_again(tracker: MlflowTracker, home: Path) -> str:
    run_id = started(tracker, home)
    tracker.finish(run_id, ParentEnd(State.KILLED, {"best": 1.0, "odd?": 2.0}, {"a": "b"}, {}, 1.7e9 + 50))
    return tracker.start(replace(sample_parent(), params={"metric": "loss", "added": "x" * 7000}))[0]


def published(tracker: MlflowTracker, home: Path) -> str:
    run_id = started(tracker, home)
    states = (State.FINISHED, State.PRUNED, State.FAILED, State.KILLED, State.RUNNING)
    children = [sample_child(number, state) for number, state in enumerate(states)]
    # A child run that is RUNNING shows its reports by some lanes alone.
    children[-1] = replace(children[-1], reports=())
    tracker.publish(run_id, children)
    tracker.publish(run_id, children)
    return run_id


def completed(tracker: MlflowTracker, home: Path) -> str:
    run_id = published(tracker, home)
    tracker.publish(run_id, [sample_child(4), lost(sample_child(5))])
    tracker.publish(run_id, [sample_child(5, State.FAILED)])
    return run_id


def reopened(tracker: MlflowTracker, home: Path) -> str:
    run_id = published(tracker, home)
    tracker.reopen(run_id, [3, 99])
    # MLflow keeps the values of the attempt before, so the same ones come again.
    tracker.publish(run_id, [sample_child(3)])
    return run_id


def odd_names(tracker: MlflowTracker, home: Path) -> str:
    run_id = started(tracker, home)
    params = {"a?b": 1, "long": "x" * 7000, "\udcff": "\udcff", "é" * 200: "ü" * 6001}
    metrics = {"loss": 1.0, "R²%": 0.5, "../up": 2.0, **{f"m/{n}?": float(n) for n in range(150)}}
    tracker.publish(run_id, [replace(sample_child(0), params=params, metrics=metrics)])
    return run_id


def late_files(tracker: MlflowTracker, home: Path) -> str:
    run_id = published(tracker, home)
    for number in (0, 1):
        (home / f"left-{number}").mkdir()
        (home / f"left-{number}" / "model.txt").write_text("weights")
    tracker.publish(run_id, [replace(sample_child(0), artifacts=home / "left-0", reports=(), metrics={"loss": 9.0})])
    tracker.publish(run_id, [replace(sample_child(1), artifacts=home / "left-1", in_place=True)])
    return run_id


def logged(tracker: MlflowTracker, home: Path) -> str:
    """What trials log through MLflow: two of them the same data, one a name that the store does not take."""
    run_id = started(tracker, home)
    data = {"name": "frame", "digest": "0c1d", "source_type": "code", "source": "{}", "schema": "", "profile": "{}"}
    inputs = [{**data, "tags": {"mlflow.data.context": "training"}}, {**data, "digest": "2", "tags": {}}]
    metrics = [LoggedMetric("curve", step * 0.5, step, 1.7e9 + step) for step in range(5)]
    metrics += [LoggedMetric("odd?", float("nan"), 0, 1.7e9), LoggedMetric("loss", 7.0, 3, 1.7e9)]
    log = RunLog({"alpha": "3", "x": "9"}, metrics, {"colour": "red", schema.TAG_STATE: "mine"}, inputs)
    tracker.publish(run_id, [replace(sample_child(number), logged=log) for number in range(2)])
    tracker.publish(run_id, [replace(sample_child(2), logged=log)])
    return run_id


def nested(tracker: MlflowTracker, home: Path) -> str:
    """Runs inside those of trials, one of them inside another; one did not end, and one claims to be a trial."""
    run_id = started(tracker, home)
    log = RunLog({"C": "1"}, [LoggedMetric("score", 0.5, step, 1.7e9 + step) for step in range(3)], {"colour": "red"})
    for number in range(2):
        mine = {schema.TAG_KEY: f"sweep-1/{number}", schema.TAG_NUMBER: str(number), schema.TAG_PARENT: "x"}
        claims = RunLog(tags=mine)
        one, two, three = (f"{number}{index}" * 16 for index in range(3))
        trial = f"{number}f" * 16
        runs = [
            NestedRun(one, "first", trial, 1.7e9, 1.7e9 + 5, "FINISHED", log),
            NestedRun(two, "second", one, 1.7e9 + 1, 1.7e9 + 2, "FAILED"),
            NestedRun(three, "third", trial, 1.7e9 + 1, log=claims),
            # Nothing is inside itself, or inside what began after it.
            NestedRun("c" * 30 + f"{number}0", "round", "c" * 30 + f"{number}0", 1.7e9),
            NestedRun("c" * 30 + f"{number}1", "circle", "c" * 30 + f"{number}2", 1.7e9),
            NestedRun("c" * 30 + f"{number}2", "circle", "c" * 30 + f"{number}1", 1.7e9),
        ]
        child = replace(sample_child(number), logged=RunLog(nested=runs))
        ids = tracker.publish(run_id, [child])
        assert tracker.publish(run_id, [child]) == ids
        assert tracker.runs_of(run_id, [number]) == ids, "what claims to be a trial is not found as one"
    tracker.reopen(run_id, [1])
    tracker.publish(run_id, [replace(sample_child(1), logged=RunLog(nested=[NestedRun("a" * 32, "new", "x", 1.7e9)]))])
    assert len(list(tracker.children(run_id))) == 2
    return run_id


def ended(tracker: MlflowTracker, home: Path) -> str:
    run_id = published(tracker, home)
    end = ParentEnd(
        State.FINISHED,
        {"best": 0.25, "loss.mean": float("nan"), "worst": float("-inf")},
        {schema.TAG_DIGEST: "d"},
        {schema.ARTIFACT_TRIALS: "{}"},
        1.7e9 + 9,
    )
    tracker.finish(run_id, end)
    tracker.finish(run_id, end)
    return run_id


STORIES = [started, started_again, published, completed, reopened, odd_names, late_files, logged, nested, ended]


@pytest.fixture(scope="module")
def wanted(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Story], Rows]:
    """What MLflow's client leaves, told once for all lanes."""

    @cache
    def told(story: Story) -> Rows:
        home = tmp_path_factory.mktemp("wanted")
        shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
        return _told(Store(home, default_uri(home)), "client", story)

    return told


def _told(store: Store, lane: str, story: Story) -> Rows:
    with closing(MlflowTracker(LANES[lane](store))) as tracker:
        story(tracker, store.home)
    return rows_of(store)


@pytest.mark.parametrize("name", [name for name in LANES if name != "client"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_all_lanes_leave_the_same_rows(
    stores: Callable[[str], Store], wanted: Callable[[Story], Rows], name: str, story: Story
) -> None:
    rows, should = _told(stores(name), name, story), wanted(story)
    assert should["runs"] and should["tags"]
    for table in TABLES:
        assert rows[table] == should[table], f"{name} writes other rows to {table}"


# -------------------------------------------------------------------------------------------------- contract


@pytest.fixture(params=LANES)
def store(request: pytest.FixtureRequest, stores: Callable[[str], Store]) -> Store:
    return stores(request.param)


@pytest.fixture
def lane(store: Store, request: pytest.FixtureRequest) -> Iterator[Lane]:
    with closing(LANES[request.node.callspec.params["store"]](store)) as one:
        yield one


def begun(lane: Lane, sweep: str = "s") -> Parent:
    with lane.translated():
        experiment = lane.find_experiment("conformance")
        tags = {"mlflow.runName": sweep, "mlflow.user": "ada", schema.TAG_SWEEP: sweep, schema.TAG_KIND: "sweep"}
        run_id = lane.create_run(experiment, 1_700_000_000_000, tags)
    return Parent(run_id, sweep, experiment, "ada")


def batch(lane: Lane, parent: Parent, *children: ChildRun) -> list[Entry]:
    places = lane.places(parent, children)
    return [Entry(child, places[child.number], child_tags(parent, child)) for child in children]


def test_an_experiment_and_a_sweep_are_found_once_made(lane: Lane) -> None:
    with lane.translated():
        assert lane.search("s") is None
        parent = begun(lane)
        assert lane.find_experiment("conformance") == parent.experiment_id
        assert lane.search("s") == lane.search("s", parent.experiment_id) == parent.run_id
        assert lane.search("s", "0") is None
        assert lane.location(parent.run_id).endswith(f"{parent.run_id}/artifacts")


def test_a_run_says_what_was_logged(lane: Lane) -> None:
    parent = begun(lane)
    lane.log(parent.run_id, {"a": "1"}, [point("m", 0.5, 1, 0)], {"t": "x"})
    lane.log(parent.run_id, {}, [point("m", 0.7, 2, 0)], {"t": "y"})
    run = lane.run(parent.run_id)
    assert (run.experiment_id, run.status, run.params, run.metrics) == (
        parent.experiment_id,
        "RUNNING",
        {"a": "1"},
        {"m": 0.7},
    )
    assert run.tags["t"] == "y"
    lane.end(parent.run_id, "FINISHED", 1_700_000_001_000)
    assert lane.run(parent.run_id).status == "FINISHED"
    lane.end(parent.run_id, "RUNNING", None)
    assert lane.run(parent.run_id).status == "RUNNING"


def test_a_batch_is_written_and_says_which_trials_it_wrote(lane: Lane) -> None:
    parent = begun(lane)
    entries = batch(lane, parent, sample_child(0), sample_child(1, State.RUNNING))
    assert [entry.place.ended for entry in entries] == [False, False]
    assert set(lane.write(parent, entries)) == {0, 1}
    after = lane.places(parent, [sample_child(0), sample_child(1)])
    assert (after[0].ended, after[1].ended) == (True, False)
    assert [after[n].run_id for n in (0, 1)] == [entry.place.run_id for entry in entries]
    assert {child.number: child.state for child in lane.children(parent)} == {0: State.FINISHED, 1: State.RUNNING}


def test_what_a_person_deleted_between_places_and_write_stays_so_and_is_not_among_the_written(
    lane: Lane, store: Store
) -> None:
    parent = begun(lane)
    lane.write(parent, batch(lane, parent, sample_child(0, State.RUNNING), sample_child(1, State.RUNNING)))
    entries = batch(lane, parent, sample_child(0), sample_child(1))
    MlflowClient(store.uri).delete_run(entries[0].place.run_id)
    assert set(lane.write(parent, entries)) == {1}
    assert [child.number for child in lane.children(parent)] == [1]
    assert lane.places(parent, [sample_child(0)])[0].deleted


def test_another_lane_to_the_same_store_sees_the_same_places(lane: Lane, store: Store) -> None:
    parent = begun(lane)
    lane.write(parent, batch(lane, parent, sample_child(0)))
    mine = lane.places(parent, [sample_child(0)])
    reach = {
        name: opened for name, opened in LANES.items() if name.startswith("postgres") is ("postgresql" in store.uri)
    }
    for opened in (*reach.values(), LANES["client"]):
        with closing(opened(store)) as other:
            assert other.places(parent, [sample_child(0)]) == mine


def test_only_what_ended_is_reopened(lane: Lane) -> None:
    parent = begun(lane)
    lane.write(parent, batch(lane, parent, sample_child(0, State.KILLED), sample_child(1)))
    lane.reopen(parent, [0, 7])
    assert {child.number: child.status for child in lane.children(parent)} == {0: "RUNNING", 1: "FINISHED"}
    assert lane.reconcile(parent) == 0


def test_what_a_lane_lets_through_becomes_ours(lane: Lane) -> None:
    for call in (lambda: lane.run("0" * 32), lambda: lane.log("0" * 32, {}, (), {"a": "b"})):
        with pytest.raises(TrackingError, match="0" * 32), lane.translated():
            call()


def test_a_lane_takes_batches_of_some_size_and_is_closed_twice(lane: Lane) -> None:
    assert lane.at_once >= 1
    lane.close()


def test_an_input_that_another_lane_wrote_is_not_written_again(lane: Lane, store: Store) -> None:
    parent = begun(lane)
    data = inputs_of(sample_parent().data)
    with closing(LANES["client"](store)) as other:
        other.log_inputs(parent.run_id, data)
    lane.log_inputs(parent.run_id, data)
    engine = sqlalchemy.create_engine(store.uri)
    with engine.connect() as db:
        orphans = "SELECT count(*) FROM input_tags WHERE input_uuid NOT IN (SELECT input_uuid FROM inputs)"
        assert db.execute(text(orphans)).scalar() == 0
        assert db.execute(text("SELECT count(*) FROM inputs")).scalar() == len(data)
    engine.dispose()


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_of_two_rows_for_one_key_the_last_counts(lane: Lane) -> None:
    """Trials choose ids of models and names of tags; one that does so twice must not keep a batch from the store."""
    assert isinstance(lane, Database)
    parent = begun(lane)
    with lane.transaction():
        lane.add(tables.TAGS, [("twice", "first", parent.run_id), ("twice", "last", parent.run_id)])
    assert lane.run(parent.run_id).tags["twice"] == "last"


@pytest.mark.parametrize("store", ["postgres by two"], indirect=True)
def test_of_two_connections_the_trouble_of_either_is_raised_and_a_repetition_makes_it_whole(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = begun(lane)
    entries = batch(lane, parent, *map(sample_child, range(5)))

    def lost(*_: object) -> set[str]:
        raise TrackingError("the second connection was lost")

    with monkeypatch.context() as patched:
        patched.setattr(PostgresByTwo, "put_whole", lost)
        with pytest.raises(TrackingError, match="second connection"):
            lane.write(parent, entries)
    assert {child.number for child in lane.children(parent)} < set(range(5))
    lane.write(parent, batch(lane, parent, *map(sample_child, range(5))))
    assert sorted(child.number for child in lane.children(parent)) == list(range(5))


@pytest.mark.parametrize("store", ["postgres by two"], indirect=True)
def test_a_connection_that_an_interrupt_left_at_work_is_not_used_again(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, goes_on, used = begun(lane), threading.Event(), list[PostgresByTwo]()
    whole = PostgresByTwo.put_whole

    def slow(self: PostgresByTwo, *given: Any) -> set[str]:
        used.append(self)
        if len(used) == 1:
            goes_on.wait(60)
        return whole(self, *given)

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PostgresByTwo, "put_whole", slow)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lane.write(parent, batch(lane, parent, *map(sample_child, range(4))))
    left = [one for one in threading.enumerate() if one.name == "sparkml-postgres"]
    lane.write(parent, batch(lane, parent, *map(sample_child, range(10, 14))))
    goes_on.set()
    for thread in left:
        thread.join(60)
    used[0].close()
    assert used[0] is not used[1]
    assert sorted(child.number for child in lane.children(parent)) == [*range(4), *range(10, 14)]


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_a_metric_that_somebody_else_wrote_to_a_running_child_meanwhile_is_taken_over(
    lane: Lane, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = begun(lane)
    lane.write(parent, batch(lane, parent, sample_child(0, State.RUNNING)))
    run_id = lane.places(parent, [sample_child(0)])[0].run_id
    assert isinstance(lane, Database)
    add, done = lane.add, []

    def adding(table: tables.Table, rows: Any, conflict: tables.Conflict | None = None) -> None:
        if table is tables.LATEST and rows and not done:
            done.append(add(table, [(rows[0][0], 9.0, 1, 0, False, run_id)]))
        add(table, rows, conflict)

    monkeypatch.setattr(lane, "add", adding)
    lane.write(parent, batch(lane, parent, sample_child(0)))
    assert done
    assert [child.state for child in lane.children(parent)] == [State.FINISHED]
