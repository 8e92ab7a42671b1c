"""``sparkml-track catalog`` for those who look after things: tags, owners, comments, the audit, grants."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier

from sparkml_track.catalog import Catalog
from sparkml_track.governance.grants import Principal
from sparkml_track.home import Home
from sparkml_track.registries import MlflowRegistry, Package, Run
from tests.calls import Call, caller


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    catalog = Catalog(Home.find())
    catalog.tables.write("air.flights", pa.table({"k": ["a"], "delay": [1.5]}))
    return caller("catalog", capsys)


def test_tags_owner_and_comments_are_the_tables_own(call: Call) -> None:
    assert call("tag", "air.flights", "pii=no", "team=ops")[1] == "pii=no\nteam=ops\n"
    assert call("tag", "air.flights", "--remove", "team")[1] == "pii=no\n"
    assert call("owner", "air.flights")[1] == "nobody\n"
    assert call("owner", "main.air.flights", "ann")[1] == "ann\n"
    assert call("comment", "air.flights", "each flight")[0] == 0
    assert call("comment", "air.flights", "minutes", "--column", "delay")[0] == 0
    facts = json.loads(call("show", "air.flights", "--json")[1])
    assert (facts["owner"], facts["tags"], facts["comments"]) == ("ann", {"pii": "no"}, {"delay": "minutes"})
    out = call("show", "air.flights")[1]
    assert "owner: ann\ntags: pii=no\n" in out
    assert "grants: advisory; SELECT for everybody, since nothing was granted; files readable by " in out
    found = Catalog(Home.find()).sql("SELECT owner, tags FROM information_schema.tables").rows.to_pylist()
    assert found == [{"owner": "ann", "tags": '{"pii": "no"}'}]
    comments = Catalog(Home.find()).sql("SELECT comment FROM information_schema.columns WHERE column_name = 'delay'")
    assert comments.rows["comment"].to_pylist() == ["minutes"]


def test_a_model_version_has_tags_and_an_owner(call: Call) -> None:
    registry = MlflowRegistry(Home.find().tracking_uri, str(Home.find().artifacts))
    model = DummyClassifier().fit(np.eye(2), [0, 1])
    registry.register("delay", Package(model, pd.DataFrame({"x": [1.0], "y": [0.0]})), Run("model", "m", "e"))
    registry.set_alias("delay", "champion", 1)
    assert call("tag", "models:/delay/1", "stage=test")[1] == "stage=test\n"
    assert call("owner", "models:/delay@champion", "ann")[1] == "ann\n"
    assert call("tag", "models:/delay@champion")[1] == "stage=test\n"
    assert "has no alias 'best'" in call("tag", "models:/delay@best", "a=b")[2]
    rows = json.loads(call("audit", "models:/delay/1", "--json")[1])
    assert [row["action"] for row in rows] == ["SET OWNER", "SET TAGS"]


def test_the_audit_is_filtered_and_newest_first(call: Call) -> None:
    assert call("tag", "air.flights", "pii=no")[0] == 0
    rows = json.loads(call("audit", "air.flights", "--json")[1])
    assert [row["action"] for row in rows] == ["SET PROPERTIES", "WRITE"]
    assert len(json.loads(call("audit", "--json", "-n", "1")[1])) == 1
    assert json.loads(call("audit", "--action", "write", "--user", "nobody_here", "--json")[1]) == []
    assert "main.air.flights" in call("audit")[1]


def test_grants_are_given_shown_and_taken(call: Call) -> None:
    assert call("grants")[1] == "grants are advisory; nothing is granted\n"
    assert call("grant", "SELECT", "on", "main.air.flights", "to", "group:analysts")[:2] == (0, "")
    assert call("grant", "all", "on", "main", "to", "everyone")[0] == 0
    found = json.loads(call("grants", "air.flights", "--json")[1])
    assert found["grants"] == [
        {"privilege": "SELECT", "object": "main.air.flights", "principal": "group:analysts"},
        {"privilege": "ALL", "object": "main", "principal": "everyone"},
    ]
    assert "group:analysts" in call("grants")[1]
    assert "SELECT for group:analysts, everyone" in call("show", "air.flights")[1]
    assert call("revoke", "SELECT", "on", "air.flights", "from", "group:analysts")[0] == 0
    assert call("enforce", "advisory")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tag", "air.flights", "pii"], "'pii' is not NAME=VALUE"),
        (["tag", "air.flights", "a b=c"], "'a b' cannot name a tag"),
        (["tag", "air.flihts", "a=b"], "Did you mean main.air.flights?"),
        (["tag", "models:/m", "a=b"], "names no version; write models:/m/VERSION"),
        (["owner", "air.flights", " "], "cannot own a table or a model"),
        (["grant", "SELECT", "air.flights"], "is not PRIVILEGE on THING to PRINCIPAL"),
        (["grant", "SELECT", "on", "air.flights", "from", "x"], "is not PRIVILEGE on THING to PRINCIPAL"),
        (["grant", "READ", "on", "air.flights", "to", "x"], "'READ' is not a privilege; there are SELECT"),
        (["grant", "SELECT", "on", "air.fligts", "to", "x"], "Did you mean main.air.flights?"),
        (["revoke", "SELECT", "on", "air.flights", "from", "x"], "is not granted to user:x"),
        (["enforce", "hard"], "allowed are advisory and posix"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(call: Call, arguments: list[str], said: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_rows_are_filtered_and_columns_masked(call: Call) -> None:
    assert "it holds for those whom a server knows by name" in call("filter", "air.flights", "k = $user")[2]
    assert call("mask", "air.flights", "delay", "NULL", "--except", "ann", "--except", "group:ops")[0] == 0
    assert call("grants")[1].splitlines()[1:] == [
        "main.air.flights shows rows where k = $user",
        "column delay of main.air.flights shows NULL, but to user:ann, group:ops",
    ]
    assert len(json.loads(call("grants", "air", "--json")[1])["restrictions"]) == 2
    assert Catalog(Home.find(), who=Principal("eve")).sql("SELECT * FROM air.flights").rows.num_rows == 0
    code, _, err = call("mask", "air.flights", "dely", "NULL")
    assert (code, "no column 'dely'" in err) == (2, True)
    assert "give the expression, or --off" in call("filter", "air.flights")[2]
    assert "give no expression" in call("filter", "air.flights", "true", "--off")[2]
    assert call("filter", "air.flights", "--off")[0] == call("mask", "air.flights", "delay", "--off")[0] == 0
    assert "not filtered" in call("filter", "air.flights", "--off")[2]
    assert call("grants")[1] == "grants are advisory; nothing is granted\n"
