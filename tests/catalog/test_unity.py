"""One way into Unity Catalog: planned, done, done again for nothing, and no token anywhere."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier

from sparkml_track.catalog.stewards.granting import give, take
from sparkml_track.catalog.stewards.tags import set_owner, set_tags
from sparkml_track.catalog.unity.apply import apply
from sparkml_track.catalog.unity.client import UnityClient
from sparkml_track.catalog.unity.ours import Ours, ours
from sparkml_track.catalog.unity.plan import Step, plan
from sparkml_track.errors import InvalidInput, SyncError
from sparkml_track.governance.grants import Grant, load
from sparkml_track.home import Home
from sparkml_track.registries import MemoryRegistry, Package, Run
from sparkml_track.tables import DeltaTables, TableExpectations
from tests.calls import caller
from tests.catalog.unity_server import Server, running

TYPES = {
    "k": pa.int64(), "i": pa.int32(), "s": pa.string(), "d": pa.decimal128(10, 2), "b": pa.bool_(), "f": pa.float32(),
    "day": pa.date32(), "at": pa.timestamp("us", "UTC"), "l": pa.list_(pa.int64()), "z": pa.binary(),
    "st": pa.struct([("a", pa.string()), ("b", pa.list_(pa.float64()))]), "m": pa.map_(pa.string(), pa.int16()),
}  # fmt: skip


@pytest.fixture
def tables(here: Home) -> DeltaTables:
    found = DeltaTables(here.tables)
    rows = pa.table({name: pa.array([], kind) for name, kind in TYPES.items()})
    found.write("air.flights", rows, expect=TableExpectations(keys=("k",)), description="by day")
    found.write("t", pa.table({"v": [1]}))
    return found


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as found:
        yield found


def wanted(home: Home, tables: DeltaTables, registry: MemoryRegistry | None = None) -> Ours:
    return ours(home, tables, registry, load(home))


def sync(wanted: Ours, server: Server, *, prune: bool = False) -> list[str]:
    client, failed = UnityClient(server.url, server.token), list[str]()
    steps = [step for step in plan(wanted, client, prune=prune) if step.requests]
    apply(steps, client, lambda step, said: failed.append(said) if said else None)
    assert failed == []
    return [f"{step.verb} {step.kind} {step.name}" for step in steps]


def test_what_is_not_there_is_made_once(here: Home, tables: DeltaTables, server: Server) -> None:
    assert sync(wanted(here, tables), server) == [
        "create catalog main", "create schema main.air", "create schema main.default", "create table main.air.flights",
        "create table main.default.t"
    ]  # fmt: skip
    made = server.tables["main.air.flights"]
    assert (made["storage_location"], made["comment"]) == (f"file://{here.tables}/air.flights", "by day")
    columns = {one["name"]: (one["type_text"], one["type_name"], one["nullable"]) for one in made["columns"]}
    assert columns == {
        "k": ("bigint", "LONG", False), "i": ("int", "INT", True), "s": ("string", "STRING", True),
        "d": ("decimal(10,2)", "DECIMAL", True), "b": ("boolean", "BOOLEAN", True), "f": ("float", "FLOAT", True),
        "day": ("date", "DATE", True), "at": ("timestamp", "TIMESTAMP", True), "l": ("array<bigint>", "ARRAY", True),
        "z": ("binary", "BINARY", True), "st": ("struct<a:string,b:array<double>>", "STRUCT", True),
        "m": ("map<string,smallint>", "MAP", True),
    }  # fmt: skip
    assert [(c["type_precision"], c["type_scale"]) for c in made["columns"] if c["name"] == "d"] == [(10, 2)]
    server.changes.clear()
    assert sync(wanted(here, tables), server, prune=True) == []
    assert server.changes == []


def test_a_table_that_changed_is_made_again(here: Home, tables: DeltaTables, server: Server) -> None:
    sync(wanted(here, tables), server)
    tables.write("t", pa.table({"v": [2]}), mode="append")  # rows are none of its business
    assert sync(wanted(here, tables), server) == []
    set_tags(tables, "t", {"pii": "no"})
    set_owner(here, tables, "t", "ann")
    tables.comment("t", "the number", "v")
    assert sync(wanted(here, tables), server) == ["recreate table main.default.t"]
    made = server.tables["main.default.t"]
    assert {"sparkml.tags.pii": "no", "sparkml.owner": "ann"}.items() <= made["properties"].items()
    assert made["columns"][0]["comment"] == "the number"
    made |= {"storage_location": f"file:{here.tables}/t/"}  # the same place, as some servers write it
    assert sync(wanted(here, tables), server) == []


def test_a_table_that_is_not_external_is_left_alone(here: Home, tables: DeltaTables, server: Server) -> None:
    sync(wanted(here, tables), server)
    server.tables["main.default.t"] |= {"table_type": "MANAGED", "comment": "theirs"}
    (step,) = [one for one in plan(wanted(here, tables), UnityClient(server.url)) if one.why]
    assert (step.verb, step.name, step.requests) == ("keep", "main.default.t", ())


def test_pruning_deletes_what_came_from_this_home_alone(here: Home, tables: DeltaTables, server: Server) -> None:
    for name in "abc":
        tables.write(f"air.{name}", pa.table({"v": [1]}))
    before = wanted(here, tables)
    sync(before, server)
    server.tables["main.air.theirs"] = {**server.tables["main.air.a"], "name": "theirs", "properties": {}}
    left = {name: body for name, body in before.tables.items() if name not in ("main.air.a", "main.air.c")}
    after = Ours(before.mark, left)
    assert sync(after, server) == []
    assert sync(after, server, prune=True) == ["delete table main.air.a", "delete table main.air.c"]
    assert "main.air.theirs" in server.tables


def test_models_and_versions_are_made_and_finalized(here: Home, tables: DeltaTables, server: Server) -> None:
    registry = MemoryRegistry()
    model = DummyClassifier().fit(np.eye(2), [0, 1])
    for _ in range(3):
        registry.register("delay", Package(model, pd.DataFrame({"x": [1.0], "y": [0.0]})), Run("model", "m", "e"))
    assert sync(wanted(here, tables, registry), server)[-4:] == [
        "create model main.default.delay", *(f"create version main.default.delay, version {n}" for n in (1, 2, 3))
    ]  # fmt: skip
    found = server.versions["main.default.delay"]
    assert [(one["comment"], one["status"]) for one in found] == [(f"sparkml version {n}", "READY") for n in (1, 2, 3)]
    assert sync(wanted(here, tables, registry), server) == []
    found[1]["status"] = "PENDING_REGISTRATION"  # somebody died before the end
    assert sync(wanted(here, tables, registry), server) == ["create version main.default.delay, version 2"]


def test_grants_are_given_and_taken(here: Home, tables: DeltaTables, server: Server) -> None:
    give(here, tables, Grant("SELECT", "air", "group:analysts"))
    give(here, tables, Grant("ALL", "air.flights", "ann"))
    sync(wanted(here, tables), server)
    flights = server.permissions["table main.air.flights"]
    assert flights == {"analysts": {"SELECT"}, "ann": {"SELECT", "MODIFY"}}
    assert server.permissions["catalog main"] == {"analysts": {"USE CATALOG"}, "ann": {"USE CATALOG"}}
    assert server.permissions["schema main.air"] == {"analysts": {"USE SCHEMA"}, "ann": {"USE SCHEMA"}}
    assert sync(wanted(here, tables), server) == []

    flights["stranger"] = {"SELECT"}
    take(here, tables, Grant("SELECT", "air", "group:analysts"))
    assert sync(wanted(here, tables), server) == ["revoke grant main.air.flights"]
    assert flights == {"analysts": set(), "ann": {"SELECT", "MODIFY"}, "stranger": {"SELECT"}}
    assert sync(wanted(here, tables), server, prune=True) == ["revoke grant main.air.flights"]
    assert flights["stranger"] == set()


def test_one_refusal_does_not_stop_the_others(here: Home, tables: DeltaTables, server: Server) -> None:
    client, said = UnityClient(server.url), dict[str, str]()
    server.broken = "schemas"
    with pytest.raises(SyncError, match=r"GET schemas/main.air at .* was refused with 500: out of order"):
        plan(wanted(here, tables), client)
    server.broken = ""
    steps = plan(wanted(here, tables), client)
    server.schemas["main.air"] = {"name": "air", "catalog_name": "main"}  # somebody was quicker

    def ended(step: Step, failed: str) -> None:
        said[step.name] = failed

    assert apply(steps, client, ended) == 1
    assert "409: main.air exists" in said["main.air"]
    assert sorted(server.tables) == ["main.air.flights", "main.default.t"]
    assert sync(wanted(here, tables), server) == []


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", "http://user:s3cret@x", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        UnityClient(url)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_is_away_or_is_another_is_one_sentence(server: Server) -> None:
    with pytest.raises(
        SyncError, match=r"GET catalogs at http://127.0.0.1:1 failed: .*; check that the server is there"
    ):
        UnityClient("http://127.0.0.1:1").get("catalogs")
    with pytest.raises(SyncError, match="404"):
        UnityClient(server.url).get("catalogs", "none/../x")


def test_answers_of_another_shape_are_one_sentence(here: Home, tables: DeltaTables, server: Server) -> None:
    sync(wanted(here, tables), server)
    give(here, tables, Grant("SELECT", "t", "ann"))
    server.tables["main.default.t"] |= {"columns": [{"nothing": 1}]}
    with pytest.raises(SyncError, match="gave an answer that Unity Catalog does not give"):
        plan(wanted(here, tables), UnityClient(server.url))
    server.tables["main.default.t"] |= {"columns": "rubbish"}
    with pytest.raises(SyncError, match="does not give"):
        plan(wanted(here, tables), UnityClient(server.url))


def test_the_token_is_sent_and_never_said(server: Server) -> None:
    token = uuid.uuid4().hex
    server.token = token
    assert UnityClient(server.url, f"{token}\n").get("catalogs") == {"catalogs": []}
    with pytest.raises(SyncError, match=r"refused with 401.*--token-file") as caught:
        UnityClient(server.url, token[::-1]).get("catalogs")
    assert token[::-1] not in str(caught.value)
    moved = Server(redirect=f"{server.url}/api/2.1/unity-catalog/catalogs")
    with running(moved) as elsewhere, pytest.raises(SyncError, match="refused with 307"):
        UnityClient(elsewhere.url, token).get("catalogs")
    for wrong in ("", "a b\nc", "ünï"):
        with pytest.raises(InvalidInput, match="the token"):
            UnityClient(server.url, wrong)


def test_the_command_plans_and_does(
    here: Home, tables: DeltaTables, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = caller("catalog", capsys)
    server.token = "t0ken"
    (tmp_path / "token").write_text("t0ken\n")
    given = ("sync", "uc", "--url", server.url, "--token-file", str(tmp_path / "token"), "--no-models")
    out = call(*given, "--dry-run")[1]
    assert out.splitlines()[0] == "+ create catalog main: it is not there"
    assert out.splitlines()[-1] == "to do: 5 create"
    assert server.changes == []
    assert call(*given)[1].splitlines()[-1] == "done: 5 create"
    assert call(*given)[1] == "done: nothing\n"
    _, audited, _ = call("audit", server.url, "--json")
    assert [row["result"] for row in json.loads(audited)] == ["nothing", "5 create"]
    assert "t0ken" not in audited
    assert call("sync", "glue", "--url", server.url)[0] == 2
    assert "cannot be read from" in call("sync", "uc", "--url", server.url, "--token-file", "none")[2]


@pytest.mark.slow
def test_a_real_server_takes_it(here: Home, tables: DeltaTables) -> None:
    url = os.environ.get("SPARKML_UC_URL")
    if not url:
        pytest.skip("NOT CHECKED against a real server: SPARKML_UC_URL is not set")
    client = UnityClient(url, os.environ.get("SPARKML_UC_TOKEN"))
    name = f"sparkml_{uuid.uuid4().hex[:8]}"
    mine = DeltaTables(here.tables)
    mine.write(f"{name}.air.flights", pa.table({"v": [1]}))
    all_ours = wanted(here, mine)
    one = Ours(all_ours.mark, {key: body for key, body in all_ours.tables.items() if key.startswith(name)})
    try:
        assert apply(plan(one, client), client, lambda step, said: None) == 0
        assert [step for step in plan(one, client) if step.requests] == []
    finally:
        client.call("DELETE", ("catalogs", name), query={"force": "true"})
