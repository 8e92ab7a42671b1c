"""What a server takes of a batch, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sparkml_track import schema
from sparkml_track.errors import SpecError, TrackingError, TrackingUnavailable
from sparkml_track.testing.trackers import sample_child, sample_parent
from sparkml_track.trackers import default_uri
from sparkml_track.trackers._mlflow.bulk.lane import EndpointLane
from sparkml_track.trackers._mlflow.bulk.message import message, received
from sparkml_track.trackers._mlflow.bulk.receiver import Receiver
from sparkml_track.trackers._mlflow.lanes.lane import Entry, Place
from sparkml_track.trackers._mlflow.lanes.sql import SqlLane, child_id
from sparkml_track.trackers._mlflow.opening import open_sql
from sparkml_track.trackers._mlflow.tracker import MlflowTracker
from sparkml_track.trackers._rows import Parent, child_tags
from sparkml_track.trial import State


@pytest.fixture
def lane(home: Path) -> Iterator[SqlLane]:
    opened = open_sql(default_uri(home), str(home / "artifacts"))
    assert opened is not None
    with closing(opened):
        yield opened


@pytest.fixture
def client(home: Path) -> MlflowClient:
    return MlflowClient(default_uri(home))


def begun(lane: SqlLane, sweep: str = "s", experiment: str = "one") -> Parent:
    number = lane.find_experiment(experiment)
    tags = {"mlflow.runName": sweep, "mlflow.user": "ada", schema.TAG_SWEEP: sweep, schema.TAG_KIND: "sweep"}
    return Parent(lane.create_run(number, 1_700_000_000_000, tags), sweep, number, "ada")


def sent(parent: Parent, *numbers: int) -> dict[str, Any]:
    """A message as it goes over the wire."""
    children = [sample_child(number) for number in numbers or (0,)]
    places = [Place(child_id(parent.run_id, child.number), "") for child in children]
    entries = [Entry(child, place, child_tags(parent, child)) for child, place in zip(children, places, strict=True)]
    made: dict[str, Any] = json.loads(json.dumps(message(parent, entries)))
    return made


def take(lane: SqlLane, given: object) -> object:
    return Receiver(lane).take(received(json.dumps(given).encode()))


def test_a_batch_is_written_and_again_leaves_the_same(lane: SqlLane, client: MlflowClient) -> None:
    parent = begun(lane)
    assert take(lane, sent(parent, 0, 1)) == {"left": []}
    assert take(lane, sent(parent, 0, 1)) == {"left": [0, 1]}, "both have ended"
    assert [child.number for child in lane.children(parent)] == [0, 1]
    run = client.get_run(child_id(parent.run_id, 0))
    assert run.info.artifact_uri.endswith(f"{run.info.run_id}/artifacts")


def changed(where: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda given: given.update({where: value})


def another_run(given: dict[str, Any]) -> None:
    given["children"][0][1] = "0" * 32


def the_parent(given: dict[str, Any]) -> None:
    given["children"][0][1] = given["run_id"]


def another_number(given: dict[str, Any]) -> None:
    given["children"][0][0] = 7


def late(given: dict[str, Any]) -> None:
    given["children"][0][2] = True


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a run that is not there": (another_run, "is not the child run of trial 0"),
    "the parent run": (the_parent, "is not the child run of trial 0"),
    "the run of another trial": (another_number, "is not the child run of trial 7"),
    "late tags of one that did not end": (late, "has not ended"),
    "a row of no run": (changed("tags", [["a", "b", 5]]), "names a run that the list"),
    "a negative place": (changed("tags", [["a", "b", -1]]), "greater than or equal to 0"),
    "a name that MLflow does not take": (changed("tags", [["a?b", "c", 0]]), r"tags\.0\.0: .*does not take"),
    "a path as a name": (changed("metrics", [["../up", 1.0, 0, 0, False, 0]]), "does not take"),
    "a long value": (changed("params", [["a", "x" * 6001, 0]]), "at most 6000"),
    "a value that is not a number": (changed("metrics", [["m", float("nan"), 0, 0, False, 0]]), "finite"),
    "text as a number": (changed("metrics", [["m", "1", 0, 0, False, 0]]), "number"),
    "a status that MLflow does not know": (changed("runs", [["n", "u", "DONE", 0, 1, 0]]), "pattern"),
    "a model with a name of its own making": (
        changed("models", [["m-../../x", "n", 0, 0, 1, None, [], [], 0]]),
        "pattern",
    ),
    "more than there is": (changed("sql", "DROP TABLE runs"), "sql: Extra inputs"),
    "an experiment with a quote": (changed("experiment_id", "1' OR 1"), "experiment_id: .*pattern"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_by_name_and_nothing_is_written(lane: SqlLane, case: str) -> None:
    parent = begun(lane)
    given = sent(parent)
    change, text = REFUSED[case]
    change(given)
    with pytest.raises(SpecError, match=text):
        take(lane, given)
    assert list(lane.children(parent)) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff\xfe", b'{"run_id": 1}'])
def test_what_is_not_a_message_is_refused(body: bytes) -> None:
    with pytest.raises(SpecError):
        received(body)


def test_a_child_run_of_another_sweep_cannot_be_taken(lane: SqlLane, client: MlflowClient) -> None:
    mine, other = begun(lane), begun(lane, "t", "two")
    take(lane, sent(other, 0))
    given = sent(mine, 0)
    given["children"][0][1] = child_id(other.run_id, 0)
    with pytest.raises(SpecError, match="is not the child run"):
        take(lane, given)
    assert client.get_run(child_id(other.run_id, 0)).data.tags[schema.TAG_PARENT] == other.run_id


def test_a_parent_run_of_another_experiment_is_refused(lane: SqlLane) -> None:
    """Who may write to one experiment could else write to all."""
    parent, other = begun(lane), begun(lane, "t", "two")
    for number, text in ((other.experiment_id, "was deleted"), ("99", "There is no experiment '99'")):
        with pytest.raises(TrackingError, match=text):
            take(lane, {**sent(parent), "experiment_id": number})
    assert list(lane.children(parent)) == []


def test_an_ended_child_run_takes_tags_and_keeps_its_values(lane: SqlLane, client: MlflowClient) -> None:
    parent = begun(lane)
    take(lane, sent(parent, 0))
    children = [[0, child_id(parent.run_id, 0), True, []]]
    base = {"run_id": parent.run_id, "experiment_id": parent.experiment_id, "children": children}
    for rows in ({"params": [["x", "9", 0]]}, {"metrics": [["loss", 9.0, 0, 0, False, 0]]}):
        with pytest.raises(SpecError, match="nothing but tags"):
            take(lane, {**base, **rows})
    before = client.get_run(child_id(parent.run_id, 0))
    take(lane, {**base, "tags": [["where", "here", 0]]})
    after = client.get_run(child_id(parent.run_id, 0))
    assert after.data.tags == {**before.data.tags, "where": "here"}
    assert repr(after.data.metrics) == repr(before.data.metrics) and after.data.params == before.data.params


def test_a_model_of_another_run_is_left_alone(lane: SqlLane, client: MlflowClient) -> None:
    parent = begun(lane)
    one = ["m-" + "a" * 32, "model", 1, 2, 2, "", [["p", "1"]], [["t", "1"]], 0]
    take(lane, {**sent(parent, 0), "models": [one]})
    take(lane, {**sent(parent, 1), "models": [[*one[:1], "mine", *one[2:6], [["p", "2"]], [["t", "2"]], 0]]})
    model = client.get_logged_model(one[0])
    assert (model.name, model.params, model.source_run_id) == ("model", {"p": "1"}, child_id(parent.run_id, 0))
    assert model.artifact_location.startswith(lane.root_of(parent.experiment_id))


def test_a_deleted_child_run_stays_deleted(lane: SqlLane, client: MlflowClient) -> None:
    parent = begun(lane)
    given = sent(parent, 0, 1)
    given["runs"] = [[name, user, "RUNNING", began, None, at] for name, user, _, began, _, at in given["runs"]]
    take(lane, given)
    client.delete_run(child_id(parent.run_id, 1))
    assert take(lane, sent(parent, 0, 1)) == {"left": [1]}
    assert [child.number for child in lane.children(parent)] == [0]


def test_without_the_endpoint_the_client_goes_on_from_what_was_written(home: Path, lane: SqlLane) -> None:
    """A server may be started again without it in the middle of a sweep."""
    receiver, calls = Receiver(lane), []

    def send(given: object) -> Any:
        calls.append(1)
        return receiver.take(received(json.dumps(given).encode())) if len(calls) < 2 else None

    with closing(MlflowTracker(EndpointLane(default_uri(home), str(home / "artifacts"), send))) as tracker:
        run_id, _ = tracker.start(sample_parent())
        tracker.publish(run_id, [sample_child(0), sample_child(1, State.RUNNING)])
        with pytest.raises(TrackingUnavailable, match="lost its bulk endpoint"):
            tracker.publish(run_id, [sample_child(1), sample_child(2)])
        tracker.publish(run_id, [sample_child(1), sample_child(2)])
        stored = {child.number: child.state for child in tracker.children(run_id)}
    assert stored == dict.fromkeys(range(3), State.FINISHED)
    assert len(calls) == 2


def test_a_batch_of_many_points_goes_in_parts(home: Path, lane: SqlLane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkml_track.trackers._mlflow.bulk.lane._MAX_POINTS", 5)
    receiver, sizes = Receiver(lane), []

    def send(given: Any) -> Any:
        sizes.append(len(given["children"]))
        return receiver.take(received(json.dumps(given).encode()))

    with closing(MlflowTracker(EndpointLane(default_uri(home), str(home / "artifacts"), send))) as tracker:
        run_id, _ = tracker.start(sample_parent())
        tracker.publish(run_id, [sample_child(number) for number in range(6)])
        assert len(list(tracker.children(run_id))) == 6
    assert len(sizes) > 1 and sum(sizes) == 6
