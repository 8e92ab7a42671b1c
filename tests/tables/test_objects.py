"""Delta tables in an object store, over a real S3 server on loopback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from sparkml_track.errors import SetupError, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables import DeltaTables, Mode, Tables
from sparkml_track.tables._delta.locations import location_of, objects
from sparkml_track.testing.objects import KEY, SECRET, ObjectServer
from sparkml_track.testing.servers import free_port
from sparkml_track.testing.tables import TablesCase

pytestmark = pytest.mark.slow

ROWS = pa.table({"k": ["a", "b"], "v": [1, 2]})


class TestDeltaOnObjects(TablesCase):
    @pytest.fixture
    def tables(self, s3: str) -> Tables:
        self.root = f"{s3}/tables"
        return DeltaTables(self.root)

    def reopened(self, tables: Tables) -> Tables:
        return DeltaTables(self.root)

    # Each of many writers asks the store some ten times.
    test_appends_that_meet_are_all_kept = pytest.mark.slow(TablesCase.test_appends_that_meet_are_all_kept)
    test_overwrites_that_meet_are_ordered = pytest.mark.slow(TablesCase.test_overwrites_that_meet_are_ordered)


@pytest.fixture
def tables(s3: str) -> DeltaTables:
    return DeltaTables(s3)


def said(tables: DeltaTables, call: Callable[[], object]) -> str:
    """The one sentence that a call fails with, which holds no credentials, and hides nothing behind it."""
    start = time.monotonic()
    with pytest.raises(TableError) as raised:
        call()
    assert time.monotonic() - start < 60
    text = "".join(traceback.format_exception(raised.value))
    assert KEY not in text
    assert SECRET not in text
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_reader_of_delta_lake_opens_what_was_written(tables: DeltaTables, s3: str) -> None:
    ref = tables.write("t", ROWS)
    tables.write("t", ROWS, mode="append")
    assert ref.path == f"{s3}/t"
    assert DeltaTables("s3://elsewhere").to_arrow(ref).num_rows == 2
    other = deltalake.DeltaTable(ref.path, storage_options={"AWS_ALLOW_HTTP": "true"})
    assert other.to_pyarrow_table().num_rows == 4


def test_a_bucket_that_is_not_there_is_one_sentence(s3: str) -> None:
    tables = DeltaTables("s3://no-such-bucket/tables")
    for call in (lambda: tables.to_arrow("t"), lambda: tables.write("t", ROWS), tables.names):
        assert "there is no such bucket" in said(tables, call)


def test_a_store_that_is_away_is_one_sentence(tables: DeltaTables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    tables = DeltaTables("s3://bucket/tables")
    for call in (lambda: tables.to_arrow("t"), lambda: tables.write("t", ROWS)):
        assert "the store does not answer: see that AWS_ENDPOINT_URL is right" in said(tables, call)


def test_missing_credentials_are_one_sentence(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(SetupError, match="no credentials were found: set AWS_ACCESS_KEY_ID"):
        DeltaTables(s3).to_arrow("t")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    # The address at which a machine says its role; there is none here.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    tables = DeltaTables(s3)
    for call in (lambda: tables.to_arrow("t"), tables.names):
        assert "no credentials were found" in said(tables, call)


def test_a_profile_gives_credentials(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    file.write_text(f"[team]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert DeltaTables(s3).write("t", ROWS).version == 0


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(SetupError, match="must not hold credentials") as raised:
        DeltaTables(f"s3://{KEY}:hidden@bucket/tables")
    assert KEY not in str(raised.value)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("403", "the credentials do not allow this"), ("503", "the store failed or is overloaded")],
)
def test_a_store_that_refuses_is_one_sentence_and_leaves_nothing(
    tables: DeltaTables, object_server: ObjectServer, fault: str, sentence: str
) -> None:
    tables.write("t", ROWS)
    object_server.fail(fault)
    for call in (lambda: tables.to_arrow("t"), lambda: tables.write("t", ROWS, mode="append"), tables.names):
        assert sentence in said(tables, call)
    object_server.fail()
    assert tables.latest("t").version == 0
    assert tables.vacuum("t", timedelta(0)) == ()


def test_a_failure_that_passes_is_survived(tables: DeltaTables, object_server: ObjectServer) -> None:
    tables.write("t", ROWS)
    for _ in range(3):
        object_server.fail("503 2")
        tables.write("t", ROWS, mode="append")
        object_server.fail()
    assert tables.to_arrow("t").num_rows == 8


@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
def test_a_commit_whose_answer_is_lost_is_made_once(
    tables: DeltaTables, object_server: ObjectServer, mode: Mode
) -> None:
    if mode != "error":
        tables.write("t", ROWS)
    object_server.fail("unanswered 1 _delta_log")
    ref = tables.write("t", ROWS, mode=mode)
    object_server.fail()
    assert tables.latest("t") == ref
    assert ref.version == (0 if mode == "error" else 1)
    assert tables.to_arrow("t").num_rows == (4 if mode == "append" else 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda tables: tables.update("t", None, {"v": "v + 1"}),
        lambda tables: tables.delete("t", "k = 'a'"),
        lambda tables: tables.merge("t", pa.table({"k": ["c"], "v": [1]}), keys=["k"]),
        lambda tables: tables.restore("t", 0),
        lambda tables: tables.optimize("t", by=["v"]),
        lambda tables: tables.set_properties("t", {"team": "x"}),
        lambda tables: tables.write("t", pa.table({"k": ["c"], "w": [1.5]}), mode="append", evolve=True),
    ],
)
def test_a_change_whose_answer_is_lost_is_made_once(
    tables: DeltaTables, object_server: ObjectServer, change: Callable[[DeltaTables], TableRef]
) -> None:
    tables.write("t", ROWS)
    tables.write("t", pa.table({"k": ["b"], "v": [3]}), mode="append")
    object_server.fail("unanswered 1 _delta_log")
    assert change(tables).version == 2
    object_server.fail()
    assert tables.latest("t").version == 2
    assert tables.to_arrow("t").num_rows > 0


def test_a_store_that_overwrites_what_is_there_is_refused(s3: str, object_server: ObjectServer) -> None:
    objects._CHECKED.clear()
    object_server.fail("unconditional")
    tables = DeltaTables(s3)
    assert "ignores the condition of a put" in said(tables, lambda: tables.write("t", ROWS))
    object_server.fail()
    assert tables.names() == ()


def test_a_store_that_is_only_read_gets_no_probe(tables: DeltaTables, object_server: ObjectServer) -> None:
    objects._CHECKED.clear()
    before = len(object_server.asked())
    assert not tables.exists("t")
    assert all(line.startswith(("GET", "HEAD")) for line in object_server.asked()[before:])


WRITER = """
import os, signal, sys
import pyarrow as pa
from sparkml_track.tables import DeltaTables
from sparkml_track.tables._delta import files, log
owner, name = {"staging": (files, "staged_files"), "commit": (log, "commit")}[sys.argv[2]]
setattr(owner, name, lambda *args: os.kill(os.getpid(), signal.SIGKILL))
DeltaTables(sys.argv[1]).write("t", pa.table({"k": ["z"], "v": [3]}), mode=sys.argv[3])
"""


@pytest.mark.parametrize(("moment", "mode"), [("staging", "append"), ("commit", "append"), ("commit", "overwrite")])
def test_a_writer_killed_before_its_commit_leaves_the_old_version_and_files_for_vacuum(
    tables: DeltaTables, s3: str, moment: str, mode: str
) -> None:
    tables.write("t", ROWS)
    killed = subprocess.run([sys.executable, "-c", WRITER, s3, moment, mode], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert tables.to_arrow("t").num_rows == 2
    assert tables.write("t", ROWS, mode="append").version == 1
    left = tables.vacuum("t", timedelta(0))
    assert [name.startswith("write-") for name in left] == [True]
    there = {str(found.location) for found in location_of(f"{s3}/t").walk()}
    assert {path for path in there if "/_delta_log/" not in path} == set(tables.files("t"))
    assert tables.to_arrow("t").num_rows == 4


def test_files_of_tasks_that_were_tried_again_go_with_vacuum(tables: DeltaTables) -> None:
    kept = tables.files(tables.write("t", ROWS))[0]
    folder = location_of(kept).parent
    with (folder / "part-00000-9-00000.parquet").sink() as out:
        out.write(b"of a try that failed")
    assert tables.vacuum("t", timedelta(0)) == (f"{folder.name}/part-00000-9-00000.parquet",)
    assert tables.to_arrow("t").num_rows == 2
