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
from sparkml_track.errors import SpecError, TrackingError, TrackingSchemaError, TrackingUnavailable
from sparkml_track.testing.trackers import sample_child, sample_parent
from sparkml_track.trackers import default_uri
from sparkml_track.trackers._mlflow.bulk.lane import EndpointLane
from sparkml_track.trackers._mlflow.bulk.message import message, received
from sparkml_track.trackers._mlflow.bulk.receiver import Receiver
from sparkml_track.trackers._mlflow.lanes.batch import nested_id
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
    "late tags of one that is not there": (late, "is not the child run of trial 0"),
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


def test_a_child_run_that_runs_takes_no_late_tags(lane: SqlLane) -> None:
    parent = begun(lane)
    given = sent(parent, 0)
    given["runs"] = [[name, user, "RUNNING", began, None, at] for name, user, _, began, _, at in given["runs"]]
    take(lane, given)
    late_tags = {"children": [[0, child_id(parent.run_id, 0), True, []]], "tags": [["a", "b", 0]]}
    with pytest.raises(SpecError, match="has not ended"):
        take(lane, {"run_id": parent.run_id, "experiment_id": parent.experiment_id, **late_tags})


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


def test_a_model_of_another_experiment_or_a_deleted_one_is_left_alone(lane: SqlLane, client: MlflowClient) -> None:
    """MLflow lets whoever reads a run log a model elsewhere that names it as its source."""
    parent, other = begun(lane), begun(lane, "t", "two")
    take(lane, sent(parent, 0))
    child = child_id(parent.run_id, 0)
    theirs = client.create_logged_model(other.experiment_id, name="precious", source_run_id=child)
    mine = client.create_logged_model(parent.experiment_id, name="gone", source_run_id=child)
    client.delete_logged_model(mine.model_id)
    base = {"run_id": parent.run_id, "experiment_id": parent.experiment_id, "children": [[0, child, True, []]]}
    for model in (theirs, mine):
        take(lane, {**base, "models": [[model.model_id, "taken", 1, 2, 2, "", [["p", "1"]], [["t", "1"]], 0]]})
    after = client.get_logged_model(theirs.model_id)
    assert (after.name, after.experiment_id, after.params) == ("precious", other.experiment_id, {})
    assert [one.name for one in client.search_logged_models([parent.experiment_id])] == []


def test_a_run_of_another_experiment_that_claims_to_be_a_child_is_not_written_to(
    home: Path, lane: SqlLane, client: MlflowClient
) -> None:
    """Whoever may write to one experiment can give runs there any tags."""
    parent, other = begun(lane), begun(lane, "t", "two")
    claims = {schema.TAG_PARENT: parent.run_id, schema.TAG_NUMBER: "0", schema.TAG_STATE: "running"}
    planted = client.create_run(other.experiment_id, tags=claims).info.run_id
    given = sent(parent, 0)
    given["children"][0][1] = planted
    with pytest.raises(SpecError, match="is not the child run"):
        take(lane, given)
    # Nor do sweeps that write by SQL take it for their own.
    odd = client.create_run(parent.experiment_id, tags={schema.TAG_PARENT: parent.run_id, schema.TAG_NUMBER: "x"})
    place = lane.places(parent, [sample_child(0)])[0]
    assert place.run_id == child_id(parent.run_id, 0) and planted not in place.location
    assert list(lane.children(parent)) == [] and odd
    assert client.get_run(planted).data.params == {}
    # Nor is what it claims counted, or deleted with the sweep.
    client.set_tag(planted, schema.TAG_SWEEP, parent.sweep)
    client.set_tag(planted, schema.TAG_NESTED, "ab")
    assert lane.nested(parent) == {}
    lane.remove(parent)
    assert client.get_run(planted).info.lifecycle_stage == "active"


def test_rows_of_a_run_that_is_not_there_are_refused(lane: SqlLane) -> None:
    parent = begun(lane)
    with pytest.raises(SpecError, match="not there and is not made"):
        take(lane, {**sent(parent, 0), "runs": []})


def test_a_nested_run_that_was_deleted_stays_deleted(lane: SqlLane, client: MlflowClient) -> None:
    parent = begun(lane)
    given = sent(parent, 0)
    given["runs"] = [[name, user, "RUNNING", began, None, at] for name, user, _, began, _, at in given["runs"]]
    given["children"][0][3] = ["ab"]
    inside = ["inside", "ada", "FINISHED", 1, 2, 1]
    given["runs"].append(inside)
    take(lane, given)
    run_id = nested_id(child_id(parent.run_id, 0), "ab")
    client.delete_run(run_id)
    inside[2:5] = ["RUNNING", 1, None]
    take(lane, given)
    assert (client.get_run(run_id).info.lifecycle_stage, client.get_run(run_id).info.status) == ("deleted", "FINISHED")


def test_a_deleted_child_run_stays_deleted(lane: SqlLane, client: MlflowClient) -> None:
    parent = begun(lane)
    given = sent(parent, 0, 1)
    given["runs"] = [[name, user, "RUNNING", began, None, at] for name, user, _, began, _, at in given["runs"]]
    take(lane, given)
    client.delete_run(child_id(parent.run_id, 1))
    assert take(lane, sent(parent, 0, 1)) == {"left": [1]}
    assert [child.number for child in lane.children(parent)] == [0]


def test_without_the_endpoint_the_client_goes_on_from_what_was_written(
    home: Path, lane: SqlLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may be started again without it in the middle of a sweep."""
    receiver, calls = Receiver(lane), []

    def send(body: bytes) -> Any:
        calls.append(1)
        return receiver.take(received(body)) if len(calls) < 2 else 404

    monkeypatch.setattr("sparkml_track.trackers._mlflow.bulk.lane.has_endpoint", lambda _: False)

    with closing(MlflowTracker(EndpointLane(default_uri(home), str(home / "artifacts"), send))) as tracker:
        run_id, _ = tracker.start(sample_parent())
        tracker.publish(run_id, [sample_child(0), sample_child(1, State.RUNNING)])
        with pytest.raises(TrackingUnavailable, match="lost its bulk endpoint"):
            tracker.publish(run_id, [sample_child(1), sample_child(2)])
        tracker.publish(run_id, [sample_child(1), sample_child(2)])
        stored = {child.number: child.state for child in tracker.children(run_id)}
    assert stored == dict.fromkeys(range(3), State.FINISHED)
    assert len(calls) == 2


def test_one_answer_of_something_on_the_way_does_not_make_the_rest_slow(
    home: Path, lane: SqlLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, answers = Receiver(lane), [404]
    monkeypatch.setattr("sparkml_track.trackers._mlflow.bulk.lane.has_endpoint", lambda _: True)

    def send(body: bytes) -> Any:
        return answers.pop() if answers else receiver.take(received(body))

    opened = EndpointLane(default_uri(home), str(home / "artifacts"), send)
    with closing(MlflowTracker(opened)) as tracker:
        run_id, _ = tracker.start(sample_parent())
        with pytest.raises(TrackingUnavailable, match="answered 404"):
            tracker.publish(run_id, [sample_child(0)])
        tracker.publish(run_id, [sample_child(0), sample_child(1)])
        assert opened.at_once > 1
        assert {child.number for child in tracker.children(run_id)} == {0, 1}


def test_a_child_run_that_no_call_takes_goes_through_the_client(home: Path) -> None:
    with closing(MlflowTracker(EndpointLane(default_uri(home), str(home / "artifacts"), lambda _: 413))) as tracker:
        run_id, _ = tracker.start(sample_parent())
        with pytest.raises(TrackingUnavailable, match="takes no batch of"):
            tracker.publish(run_id, [sample_child(0)])
        tracker.publish(run_id, [sample_child(0)])
        assert [child.number for child in tracker.children(run_id)] == [0]


def test_a_batch_that_is_too_large_for_a_call_goes_in_parts(
    home: Path, lane: SqlLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkml_track.trackers._mlflow.bulk.lane._MAX_BYTES", 4_000)
    receiver, sizes = Receiver(lane), []

    def send(body: bytes) -> Any:
        sizes.append(len(json.loads(body)["children"]))
        return receiver.take(received(body))

    with closing(MlflowTracker(EndpointLane(default_uri(home), str(home / "artifacts"), send))) as tracker:
        run_id, _ = tracker.start(sample_parent())
        tracker.publish(run_id, [sample_child(number) for number in range(6)])
        assert len(list(tracker.children(run_id))) == 6
    assert len(sizes) > 1 and sum(sizes) == 6


def test_a_schema_that_changes_while_the_server_runs_is_said_and_nothing_is_written(
    lane: SqlLane, client: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    parent = begun(lane)
    receiver = Receiver(lane)
    receiver.take(received(json.dumps(sent(parent, 0)).encode()))
    with lane.transaction():
        lane.change("UPDATE alembic_version SET version_num = ?", "0123456789ab")
    for _ in range(2):
        with pytest.raises(TrackingSchemaError, match="changed while this server ran, to 0123456789ab") as error:
            receiver.take(received(json.dumps(sent(parent, 1)).encode()))
    assert "\n" not in str(error.value)
    assert sum("changed while this server ran" in record.message for record in caplog.records) == 1
    assert len(list(lane.children(parent))) == 1
