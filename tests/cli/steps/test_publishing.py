"""The command ``features publish``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.home import Home
from sparkml_track.online_stores import open_online_store
from sparkml_track.tables import DeltaTables, TableExpectations
from tests.calls import Call, caller

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    tables = DeltaTables(Home.find().tables)
    planes = pa.table({"tailnum": ["N1", "N2"], "seats": [100, 200]})
    tables.write("planes", planes, expect=TableExpectations(keys=("tailnum",)))
    return caller("features", capsys)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nothing",), 1, "nothing"),
        (("planes", "--version", "7"), 1, "7"),
        (("planes", "--to", "mongodb://me:hunter2@host/"), 2, "is not the address of an online store"),
        (("planes", "--max-age", "soon"), 1, "'soon'"),
        (("planes", "--to", "postgresql://me:hunter2@127.0.0.1:1/db"), 1, "could not read planes"),
    ],
)
def test_what_is_wrong_is_said_before_spark_starts(
    call: Call, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found, out, err = call("publish", *arguments)
    assert found == code and said in err and out == ""
    assert "hunter2" not in err and "Traceback" not in err and "WARN" not in err


@pytest.mark.spark
def test_a_table_is_published_and_then_what_changed(call: Call, spark: SparkSession, tmp_path: Path) -> None:
    code, out, err = call("publish", "planes")
    assert (code, err) == (0, "")
    assert out.startswith(f"published planes@v0 to sqlite:///{tmp_path}/home/online: 2 rows (all rows) in ")
    more = pa.table({"tailnum": ["N2", "N3"], "seats": [201, 300]})
    DeltaTables(Home.find().tables).merge("planes", more, keys=["tailnum"])
    code, out, _ = call("publish", "planes", "--json", "--max-age", "7d")
    done = json.loads(out)
    assert code == 0 and done["ref"]["version"] == 1
    assert (done["rows"], done["removed"], done["whole"]) == (2, 0, False)
    store = open_online_store("sqlite")
    found = store.get_many("planes", [("N1",), ("N2",), ("N3",)]).rows
    assert [row and row.values["seats"] for row in found] == [100, 201, 300]
    store.close()
