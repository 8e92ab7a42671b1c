"""``sparkml-track models``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier

from sparkml_track.home import Home
from sparkml_track.registries import MlflowRegistry, Package, Run
from sparkml_track.tables import DeltaTables
from tests.calls import Call, caller


@pytest.fixture
def registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowRegistry:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    found = MlflowRegistry(Home.find().tracking_uri, str(Home.find().artifacts))
    package = Package(DummyClassifier().fit(np.eye(2), [0, 1]), pd.DataFrame({"x": [1.0], "y": [0.0]}))
    for depth in (3, 4):
        ref = found.register("delay", package, Run("model", "m", "e", params={"depth": depth}))
        found.annotate(ref, {"test.auc": depth / 10}, {})
    return found


@pytest.fixture
def call(registry: MlflowRegistry, capsys: pytest.CaptureFixture[str]) -> Call:
    return caller("models", capsys)


def test_a_champion_is_made_by_hand_and_rolled_back(call: Call) -> None:
    assert call("promote", "delay/1")[1] == "delay version 1 is champion, the first one\n"
    assert call("promote", "models:/delay/2", "--why", "faster")[1] == (
        "delay version 2 is champion, in place of version 1\n"
    )
    assert json.loads(call("ls", "--json")[1]) == [
        {"model": "delay", "versions": 2, "champion": 2, "challenger": None, "waiting": []}
    ]
    assert "faster" in call("card", "delay@champion")[1]
    assert call("rollback", "delay")[1] == "delay version 1 is champion again, delay version 2 is withdrawn\n"
    code, _, err = call("rollback", "delay")
    assert (code, "no champion before" in err) == (2, True)
    from sparkml_track.catalog import Catalog

    rows = Catalog(Home.find()).system.rows("audit").to_pylist()
    assert sorted(row["action"] for row in rows) == ["PROMOTE", "PROMOTE", "ROLLBACK", "ROLLBACK"]


def test_what_waits_is_listed_approved_or_rejected(call: Call, registry: MlflowRegistry) -> None:
    for ref in registry.versions("delay"):
        registry.annotate(ref, {}, {"sparkml.approval": "pending", "sparkml.replaces": ""})
    assert json.loads(call("ls", "--json")[1])[0]["waiting"] == [1, 2]
    assert call("reject", "delay/1", "--why", "no")[1] == "delay version 1 is rejected\n"
    assert call("approve", "delay/2")[1] == "delay version 2 is champion, the first one\n"
    shown = json.loads(call("show", "delay", "--json")[1])
    assert [(row["aliases"], row["approval"]) for row in shown] == [("", "rejected"), ("champion", "approved")]
    out = call("show", "delay")[1]
    assert "rejected" in out and "champion" in out
    assert "does not wait" in call("approve", "delay/1")[2]


def test_a_version_is_taken_in(call: Call, registry: MlflowRegistry) -> None:
    registry._client.delete_model_version_tag("delay", "1", "sparkml.files")
    assert "models adopt delay/1" in call("card", "delay/1")[2]
    assert call("adopt", "delay/1")[1] == "delay version 1 is taken in\n"
    assert call("card", "delay/1")[0] == 0


def test_a_canary_is_looked_at_until_it_decides(call: Call, registry: MlflowRegistry) -> None:
    registry.set_alias("delay", "champion", 1)
    registry.set_alias("delay", "challenger", 2)
    tables = DeltaTables(Home.find().tables_root)
    labels = np.arange(600) % 2
    tables.write("outcomes", pa.table({"flight": np.arange(600), "late": labels}))
    options = ("--served", "delay", "--labels", "outcomes", "--on", "flight", "--label", "late", "--apply")
    assert "there is no table delay_rows" in call("canary", "delay", *options)[2]
    served = {"flight": np.arange(600), "model_version": [1] * 600, "score": [0.5] * 600}
    served["scored_at"] = [datetime(2013, 12, 1, tzinfo=UTC)] * 600
    tables.write("delay_rows", pa.table(served))
    assert call("canary", "delay", *options)[1].startswith("wait delay version 2: 0 rows of the challenger and 600 of")
    tables.write("delay_shadow", pa.table(served | {"model_version": [2] * 600, "score": 0.4 + 0.2 * labels}))
    out = call("canary", "delay", *options)[1].splitlines()
    assert out[0].startswith(
        "promote delay version 2: log_loss 0.51083 of the challenger against 0.69315 of the champion"
    )
    assert out[1] == "delay version 2 is champion, and there is no challenger any more"
    assert "has no challenger" in call("canary", "delay", *options)[2]


def test_versions_side_by_side(call: Call) -> None:
    lines = call("compare", "delay", "1", "2")[1].splitlines()
    assert [line.split() for line in lines if line.split()[0] in {"auc", "depth"}] == [
        ["auc", "0.3", "0.4"],
        ["depth", "3", "4"],
    ]
    assert json.loads(call("compare", "delay", "1", "2", "--json")[1])["params"] == {"depth": ["3", "4"]}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["show", "nobody"], "there is no model 'nobody'"),
        (["compare", "delay", "1"], "give two or more to compare"),
        (["card", "delay"], "names no version"),
        (["card", "delay/7"], "find version 7"),
        (["promote", "delay@best"], "has no alias 'best'"),
    ],
)
def test_wrong_names_are_sentences(call: Call, command: list[str], said: str) -> None:
    code, _, err = call(*command)
    assert code != 0 and said in err and "Traceback" not in err


def test_an_empty_registry_says_how_to_fill_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    assert "the step register makes one" in caller("models", capsys)("ls")[1]
