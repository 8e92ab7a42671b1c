from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError, DeltaError

from sparkml_track.errors import DataError, NotBuilt, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables import DeltaTables, TableExpectations, Tables
from sparkml_track.tables._delta import files, log, outcomes
from sparkml_track.testing.tables import TablesCase

ROWS = pa.table({"k": ["a", "b"], "v": [1, 2]})


class TestDelta(TablesCase):
    @pytest.fixture
    def tables(self, tmp_path: Path) -> Tables:
        self.root = tmp_path / "tables"
        return DeltaTables(self.root)

    def reopened(self, tables: Tables) -> Tables:
        return DeltaTables(self.root)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(tmp_path)


def log_lines(path: Path, version: int) -> list[dict[str, dict[str, object]]]:
    return [json.loads(line) for line in (path / "_delta_log" / f"{version:020d}.json").read_text().splitlines()]


def added(path: Path, version: int) -> dict[str, object]:
    return next(line["add"] for line in log_lines(path, version) if "add" in line)


def test_other_readers_open_the_table_at_each_version(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS, expect=TableExpectations(keys=("k",)), description="letters")
    tables.write("t", ROWS.slice(0, 1), mode="overwrite")
    assert deltalake.DeltaTable(tmp_path / "t", version=0).to_pyarrow_table().num_rows == 2
    table = deltalake.DeltaTable(tmp_path / "t")
    assert table.to_pyarrow_table().num_rows == 1
    assert (table.metadata().name, table.metadata().description) == ("t", "letters")
    assert [field.nullable for field in table.schema().fields] == [False, True]


def test_what_other_writers_make_is_read_and_continued(tables: DeltaTables, tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path / "t", ROWS)
    ref = tables.write("t", ROWS, mode="append")
    assert ref.version == 1
    assert tables.to_arrow(ref).num_rows == 4
    assert tables.describe(ref).keys == ()


def test_statistics_bound_the_values_of_each_file(tables: DeltaTables, tmp_path: Path) -> None:
    at = datetime(2013, 7, 4, 12, 0, 0, 123456, UTC)
    rows = pa.table(
        {
            "n": [3, None, 1],
            "at": pa.array([at, at, at]),
            "s": ["b", "a", None],
            "long": ["x" * 40, "y", "z"],
            "nan": [float("nan"), 1.0, 2.0],
        }
    )
    tables.write("t", rows)
    stats = json.loads(str(added(tmp_path / "t", 0)["stats"]))
    assert stats["numRecords"] == 3
    assert stats["nullCount"] == {"n": 1, "at": 0, "s": 1, "long": 0, "nan": 0}
    # No bounds for long strings, which a reader may expect cut, nor for floats, whose footers leave NaN out.
    assert stats["minValues"] == {"n": 1, "at": "2013-07-04T12:00:00.123Z", "s": "a"}
    assert stats["maxValues"] == {"n": 3, "at": "2013-07-04T12:00:00.124Z", "s": "b"}


def test_each_write_has_a_folder_of_its_own_and_only_parquet_in_it(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS)
    tables.write("t", ROWS, mode="append")
    folders = {Path(str(added(tmp_path / "t", version)["path"])).parent.name for version in (0, 1)}
    assert len(folders) == 2
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == sorted([*folders, "_delta_log"])


def test_a_refused_write_leaves_no_files(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError):
        tables.write("t", ROWS, mode="append", expect=TableExpectations(rows=5))
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_killed_writer_left_is_not_seen_and_swept(tables: DeltaTables, tmp_path: Path) -> None:
    code = f"""
import os, pyarrow as pa
from sparkml_track.tables import DeltaTables
from sparkml_track.tables._delta import log
log.commit = lambda *args: os._exit(9)
DeltaTables({str(tmp_path)!r}).write("t", pa.table({{"k": ["c"], "v": [3]}}), mode="append")
"""
    tables.write("t", ROWS)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(list((tmp_path / "t").glob("write-*/*.parquet"))) == 2
    assert tables.to_arrow("t").num_rows == 2
    assert tables.vacuum("t", keep=timedelta(days=1)) == ()  # it may be at work still
    assert len(tables.vacuum("t", keep=timedelta(0))) == 1
    assert len(list((tmp_path / "t").glob("write-*"))) == 1
    assert tables.to_arrow("t").num_rows == 2


def test_vacuum_keeps_old_files_that_a_young_version_needs(tables: DeltaTables, tmp_path: Path) -> None:
    first = tables.write("t", ROWS)
    folder = next((tmp_path / "t").glob("write-*"))
    os.utime(folder, (1e9, 1e9))
    tables.write("t", ROWS, mode="overwrite")  # until now, version 0 was the latest
    assert tables.vacuum("t", keep=timedelta(days=1)) == ()
    assert tables.to_arrow(first).num_rows == 2
    assert len(tables.vacuum("t", keep=timedelta(0))) == 1
    assert not folder.exists()


def test_processes_that_append_and_merge_at_once_lose_nothing(tables: DeltaTables, tmp_path: Path) -> None:
    code = f"""
import sys, pyarrow as pa
from sparkml_track.tables import DeltaTables
tables, me = DeltaTables({str(tmp_path)!r}), int(sys.argv[1])
for i in range(4):
    tables.write("log", pa.table({{"k": [f"{{me}}.{{i}}"]}}), mode="append")
    tables.merge("state", pa.table({{"k": ["shared", f"{{me}}.{{i}}"], "v": [me, me]}}), keys=["k"])
"""
    tables.write("state", pa.table({"k": ["shared"], "v": [-1]}))
    writers = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    each = {f"{writer}.{number}" for writer in range(3) for number in range(4)}
    assert sorted(tables.to_arrow("log")["k"].to_pylist()) == sorted(each)
    assert sorted(tables.to_arrow("state")["k"].to_pylist()) == sorted(each | {"shared"})
    assert tables.latest("log").version == 11


def test_a_version_taken_by_another_writer_is_retried_on_what_it_left(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.write("t", ROWS)
    commit, other = log.commit, DeltaTables(tmp_path)

    def late(*args: object) -> int:
        monkeypatch.setattr(log, "commit", commit)
        other.write("t", pa.table({"k": ["c"], "v": [1.5]}), mode="overwrite")
        return commit(*args)

    monkeypatch.setattr(log, "commit", late)
    # What was checked before no longer holds: the other writer changed the columns.
    with pytest.raises(TableError, match="an append cannot change columns"):
        tables.write("t", ROWS, mode="append")
    assert tables.to_arrow("t").num_rows == 1


def test_two_that_make_the_same_table_agree_on_one_maker(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, other = log.create, DeltaTables(tmp_path)

    def late(*args: object) -> int:
        monkeypatch.setattr(log, "create", create)
        other.write("t", ROWS)
        return create(*args)

    monkeypatch.setattr(log, "create", late)
    assert tables.write("t", ROWS, mode="append").version == 1
    monkeypatch.setattr(log, "create", late)
    other = DeltaTables(tmp_path)
    with pytest.raises(TableError, match="there already"):
        tables.write("t", ROWS)


# -- foreign tables


def test_partitioned_tables_of_others_are_read_and_added_to(tables: DeltaTables, tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path / "t", ROWS, partition_by=["k"])
    assert tables.to_arrow("t").sort_by("v").to_pydict() == {"k": ["a", "b"], "v": [1, 2]}
    tables.write("t", pa.table({"v": [3, 4], "k": ["a", None]}), mode="append")
    tables.merge("t", pa.table({"k": ["b", "c"], "v": [20, 30]}), keys=["k"])
    found = deltalake.DeltaTable(tmp_path / "t").to_pyarrow_table().sort_by("v")
    assert found.select(["k", "v"]).to_pydict() == {"k": ["a", "a", None, "b", "c"], "v": [1, 3, 4, 20, 30]}
    with pytest.raises(TableError, match=r"t is partitioned by k, which its files do not hold"):
        tables.files("t")


def foreign(path: Path, protocol: dict[str, object], configuration: dict[str, str]) -> None:
    """Rewrite the protocol of a table as a writer with more features would have."""
    first = path / "_delta_log" / f"{0:020d}.json"
    lines = log_lines(path, 0)
    for line in lines:
        if "protocol" in line:
            line["protocol"] = protocol
        if "metaData" in line:
            line["metaData"]["configuration"] = configuration
    first.write_text("\n".join(map(json.dumps, lines)))


@pytest.mark.parametrize(
    ("features", "configuration", "named"),
    [
        (["deletionVectors"], {"delta.enableDeletionVectors": "true"}, "deletionVectors"),
        (["columnMapping"], {"delta.columnMapping.mode": "none"}, "columnMapping"),
        (["timestampNtz"], {}, "timestampNtz"),
        (["catalogManaged"], {}, "(?i)catalog-?managed"),
    ],
)
def test_tables_with_features_we_lack_are_refused_by_name(
    tables: DeltaTables, tmp_path: Path, features: list[str], configuration: dict[str, str], named: str
) -> None:
    tables.write("t", ROWS)
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    foreign(tmp_path / "t", protocol, configuration)
    for use in (lambda: tables.to_arrow("t"), lambda: tables.write("t", ROWS, mode="append")):
        with pytest.raises(TableError, match=named):
            use()


def test_old_style_column_mapping_is_refused_by_name(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS)
    foreign(tmp_path / "t", {"minReaderVersion": 2, "minWriterVersion": 5}, {"delta.columnMapping.mode": "name"})
    with pytest.raises(TableError, match="columnMapping"):
        tables.to_arrow("t")


def asking(
    path: Path, configuration: dict[str, str], metadata: dict[str, object] | None = None, version: int = 6
) -> None:
    """Rewrite a table so that it asks more of its writers."""
    foreign(path, {"minReaderVersion": 1, "minWriterVersion": version}, configuration)
    lines = log_lines(path, 0)
    for line in lines:
        if "metaData" in line and metadata:
            schema = json.loads(str(line["metaData"]["schemaString"]))
            schema["fields"][1]["metadata"] = metadata
            line["metaData"]["schemaString"] = json.dumps(schema)
    (path / "_delta_log" / f"{0:020d}.json").write_text("\n".join(map(json.dumps, lines)))


WRITES = {
    "append": lambda tables: tables.write("t", ROWS, mode="append"),
    "overwrite": lambda tables: tables.write("t", ROWS, mode="overwrite"),
    "merge": lambda tables: tables.merge("t", ROWS, keys=["k"]),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("configuration", "metadata", "named"),
    [
        ({}, {"delta.invariants": "v > 0"}, "delta.invariants on column v"),
        ({}, {"delta.generationExpression": "length(k)"}, "delta.generationExpression on column v"),
        ({}, {"delta.identity.start": 1}, "delta.identity.start on column v"),
    ],
)
def test_what_a_table_asks_of_every_writer_is_refused_by_name_at_once(
    tables: DeltaTables,
    tmp_path: Path,
    write: str,
    configuration: dict[str, str],
    metadata: dict[str, object] | None,
    named: str,
) -> None:
    tables.write("t", ROWS)
    asking(tmp_path / "t", configuration, metadata)
    before = sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(TableError, match=named):
        WRITES[write](tables)
    assert sorted(tmp_path.rglob("*.parquet")) == before


def test_a_table_that_only_grows_takes_appends_alone(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS)
    asking(tmp_path / "t", {"delta.appendOnly": "true"}, version=2)
    assert tables.write("t", ROWS, mode="append").version == 1
    for write in ("overwrite", "merge"):
        with pytest.raises(TableError, match=r"delta\.appendOnly = true"):
            WRITES[write](tables)


def test_a_change_data_feed_gets_change_files_or_the_write_is_refused(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS)
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
    tables.update("t", "k = 'a'", {"v": "v + 10"})
    tables.merge("t", pa.table({"k": ["b", "c"], "v": [20, 30]}), keys=["k"])
    tables.delete("t", "k = 'a'")
    tables.write("t", ROWS.slice(0, 1), mode="overwrite")
    feed = pa.table(deltalake.DeltaTable(tmp_path / "t").load_cdf(starting_version=2)).to_pylist()
    found = sorted((row["_commit_version"], row["_change_type"], row["k"], row["v"]) for row in feed)
    assert found == [
        (2, "update_postimage", "a", 11),
        (2, "update_preimage", "a", 1),
        (3, "insert", "c", 30),
        (3, "update_postimage", "b", 20),
        (3, "update_preimage", "b", 2),
        (4, "delete", "a", 11),
        (5, "delete", "b", 20),
        (5, "delete", "c", 30),
        (5, "insert", "a", 1),
    ]


def test_a_protocol_that_the_library_cannot_write_is_one_error_and_no_contest(
    tables: DeltaTables, tmp_path: Path
) -> None:
    tables.write("t", ROWS)
    asking(tmp_path / "t", {}, version=6)
    with pytest.raises(TableError, match=r"^writing table t failed: .*Unsupported table features required") as raised:
        tables.write("t", ROWS, mode="append")
    assert "other writers" not in str(raised.value)


def test_a_writer_feature_that_nobody_here_knows_is_refused_by_name(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS)
    foreign(tmp_path / "t", {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["rowTracking"]}, {})
    with pytest.raises(TableError, match="the writer feature rowTracking"):
        tables.write("t", ROWS, mode="append")
    assert tables.to_arrow("t").num_rows == 2


def test_keys_stay_unique_in_the_whole_table(tables: DeltaTables) -> None:
    tables.write("t", ROWS, expect=TableExpectations(keys=("k",)))
    with pytest.raises(DataError, match=r"keys \(k\) of the new rows are in the table already, for example .*'b'"):
        tables.write("t", pa.table({"k": ["c", "b"], "v": [3, 4]}), mode="append")
    assert tables.write("t", pa.table({"k": ["c"], "v": [3]}), mode="append").version == 1


def test_a_merge_of_no_rows_gives_the_version_that_is_there(tables: DeltaTables) -> None:
    first = tables.write("t", ROWS)
    assert tables.merge("t", ROWS.slice(0, 0), keys=["k"]) == first
    assert tables.to_arrow(first).num_rows == 2
    assert tables.merge("t", ROWS, keys=["k"]).version == 1


@pytest.mark.parametrize(
    ("moment", "low", "high"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
        (datetime(987, 6, 5, 4, 3, 2, 1, UTC), "0987-06-05T04:03:02.000Z", "0987-06-05T04:03:02.001Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999000, UTC), "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_bounds_of_moments_have_four_digits_of_year(
    tables: DeltaTables, tmp_path: Path, moment: datetime, low: str, high: str
) -> None:
    tables.write("t", pa.table({"at": pa.array([moment], pa.timestamp("us", "UTC"))}))
    stats = json.loads(str(added(tmp_path / "t", 0)["stats"]))
    assert (stats["minValues"], stats["maxValues"]) == ({"at": low}, {"at": high})
    assert tables.to_arrow("t")["at"].to_pylist() == [moment]


def test_moments_that_no_bound_can_name_are_written_without(tables: DeltaTables, tmp_path: Path) -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
    far = pa.array([2**62], pa.int64()).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    for number, at in enumerate((pa.array([last], pa.timestamp("us", "UTC")), far)):
        tables.write(f"t{number}", pa.table({"at": at}))
        assert json.loads(str(added(tmp_path / f"t{number}", 0)["stats"]))["minValues"] == {}
        assert tables.to_arrow(f"t{number}")["at"].equals(pa.chunked_array([at]))


# -- errors of delta-rs


@pytest.mark.parametrize(
    "foreign_error",
    [DeltaError("no space left\nat line 3"), pa.ArrowInvalid("no space left"), OSError(28, "no space left")],
)
def test_foreign_errors_are_translated(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch, foreign_error: Exception
) -> None:
    tables.write("t", ROWS)

    def fail(*args: object, **kwargs: object) -> None:
        raise foreign_error

    monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", fail)
    with pytest.raises(TableError, match=r"writing table t failed: .*no space left") as raised:
        tables.write("t", ROWS, mode="append")
    assert raised.value.__cause__ is foreign_error
    assert "\n" not in str(raised.value)


def test_a_commit_that_always_loses_ends_with_one_error(tables: DeltaTables, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.write("t", ROWS)
    calls = []

    def fail(*args: object, **kwargs: object) -> None:
        calls.append(1)
        raise CommitFailedError("taken")

    monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", fail)
    monkeypatch.setattr(outcomes, "_PAUSE", 0.0)
    with pytest.raises(TableError, match="lost 40 times to other writers"):
        tables.write("t", ROWS, mode="append")
    assert len(calls) == 40
    assert tables.latest("t").version == 0


def test_every_exception_of_the_library_is_translated() -> None:
    for name in deltalake.exceptions.__all__:
        error = getattr(deltalake.exceptions, name)
        with pytest.raises((TableError, outcomes.Taken)), outcomes.translated("it"):
            raise error("why")


def test_a_broken_log_is_told_without_a_traceback_of_others(tables: DeltaTables, tmp_path: Path) -> None:
    tables.write("t", ROWS)
    (tmp_path / "t" / "_delta_log" / f"{0:020d}.json").write_text("{broken")
    with pytest.raises(TableError, match="opening table t failed"):
        tables.to_arrow("t")


def test_missing_files_are_told_with_the_version(tables: DeltaTables, tmp_path: Path) -> None:
    ref = tables.write("t", ROWS)
    next((tmp_path / "t").glob("write-*/*.parquet")).unlink()
    with pytest.raises(TableError, match="t has no version 0"):
        tables.to_arrow(ref)


def test_a_root_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="writing table t failed"):
        DeltaTables(tmp_path / "file").write("t", ROWS)


@pytest.mark.parametrize("root", ["gs://bucket/tables", "file:///tables", "s3a://bucket/tables"])
def test_other_stores_are_refused_by_name(root: str) -> None:
    with pytest.raises(NotBuilt, match=f"{root} are not supported; allowed are local and mounted paths, and s3://"):
        DeltaTables(root)


@pytest.mark.parametrize("folder", ["a b", "100%", "ümlaut", "[x]{y}*"])
def test_any_folder_can_be_the_root(tmp_path: Path, folder: str) -> None:
    tables = DeltaTables(tmp_path / folder)
    ref = tables.write("t", ROWS, expect=TableExpectations(keys=("k",)))
    tables.write("t", pa.table({"k": ["c", "d"], "v": [1, 2]}), mode="append")
    assert tables.to_arrow("t").num_rows == 4
    assert tables.vacuum("t", timedelta(0)) == ()
    assert tables.to_arrow(TableRef("t", ref.path, 0)).num_rows == 2


def test_a_root_that_the_log_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="per%20cent"):
        DeltaTables(tmp_path / "per%20cent")


def test_a_relative_root_does_not_move_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tables = DeltaTables("here")
    ref = tables.write("t", ROWS)
    monkeypatch.chdir("/")
    assert ref.path == str(tmp_path / "here" / "t")
    assert tables.to_arrow(ref).num_rows == 2


def test_nulls_of_long_keys_are_counted_where_footers_are_silent(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.StagedFile, "stats", property(lambda self: "{}"))
    real = files._staged

    def silent(*args: object) -> object:
        from dataclasses import replace

        return replace(real(*args), nulls={})  # type: ignore[arg-type]

    monkeypatch.setattr(files, "_staged", silent)
    with pytest.raises(DataError, match="1 nulls in 'k'"):
        tables.write("t", pa.table({"k": ["a", None]}), expect=TableExpectations(keys=("k",)))


# -- what is known of versions


def test_what_is_known_of_a_version_is_not_read_again_and_never_stale(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[object]()
    really = log.open_log
    monkeypatch.setattr(log, "open_log", lambda *of: opened.append(of) or really(*of))
    tables.write("t", ROWS, description="first")
    opened.clear()
    for _ in range(3):
        assert tables.data_files("t") and tables.describe("t").description == "first"
        assert tables.pin("t").version == tables.latest("t").version == 0
    assert len(opened) == 1
    DeltaTables(tmp_path).write("t", ROWS, mode="append")
    assert (tables.latest("t").version, len(tables.data_files("t"))) == (1, 2)
    assert len(tables.data_files(TableRef("t", str(tmp_path / "t"), 0))) == 1
    tables.comment("t", "second")
    assert tables.describe("t").description == "second"
    shutil.rmtree(tmp_path / "t")
    with pytest.raises(TableError, match="there is no table t"):
        tables.describe("t")
    for description in ("again", "and again", "third"):
        tables.write("t", ROWS, mode="append", description=description)
    assert (tables.latest("t").version, tables.describe("t").description) == (2, "again")
    Path(tables.data_files("t")[0].path).unlink()
    with pytest.raises(TableError, match="vacuum"):
        tables.data_files("t")
