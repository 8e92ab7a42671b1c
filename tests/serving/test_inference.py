"""Inference tables: each answer once, wherever a process is killed; what does not fit is counted."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, SetupError, TableError
from sparkml_track.scored import ADDED
from sparkml_track.serving import Limits, Recording, serve
from sparkml_track.serving.inference.arrow import prediction_rows
from sparkml_track.serving.inference.flushing import Recorder
from sparkml_track.serving.inference.records import Predictions, Record, decoded, encoded, line_of
from sparkml_track.serving.inference.segments import records_of, segments_of
from sparkml_track.serving.inference.spool import Spool, claim, claim_left
from sparkml_track.tables import DeltaTables, TableExpectations
from tests.serving.models import NAME, ROW, ask, get, recording, registry, rows, spec, until

NAMES = [f"{NAME}_{kind}" for kind in ("payload", "rows", "shadow")]


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(tmp_path / "tables", lineage=False)


@pytest.fixture
def recorders(tmp_path: Path, tables: DeltaTables) -> Iterator[Any]:
    """Starts recorders of one endpoint that end with the test."""
    made: list[Recorder] = []

    def start(given: Any = tables, **more: Any) -> Recorder:
        made.append(Recorder(recording(tmp_path, **more), given))
        return made[-1]

    yield start
    for each in made:
        if each.spool._held._handle >= 0:
            each.close()


def record(name: str, role: str = "served", **columns: object) -> Record:
    """A request of one row."""
    kinds = {key: {float: "double", int: "long", str: "string"}[type(value)] for key, value in columns.items()}
    predictions = Predictions({key: [value] for key, value in columns.items()}, kinds, [0.5], [None], "r1")
    return Record(name, None, 1_700_000_000_000, 200, 1.0, 2.5, "{}", "{}", NAME, 1, "champion", role, predictions)


def add(recorder: Recorder, *names: str, **columns: object) -> None:
    for future in [recorder.spool.append(encoded(record(name, **(columns or {"wind": 1.0})))) for name in names]:
        assert future.result(120)


def kill(recorder: Recorder) -> None:
    """Leaves everything as a killed process leaves it."""
    recorder._stop.set()
    recorder._thread.join()
    recorder.spool.close()
    recorder.spool.release()


def ids(tables: DeltaTables, name: str) -> dict[str, int]:
    return dict(Counter(tables.to_arrow(name)["request_id"].to_pylist())) if tables.exists(name) else {}


# -------------------------------------------------------------------------------------------------- what is written


def test_requests_do_not_wait_until_many_records_are_in_the_tables(
    recorders: Any, tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = recorders(every=1000)
    names = [f"request {number}" for number in range(100)]
    add(recorder, *names)
    pauses = list[float]()
    monkeypatch.setattr(recorder._stop, "wait", pauses.append)
    assert recorder.flush()
    assert len(pauses) >= 2 * (len(names) // 20) and max(pauses) < 0.1
    assert ids(tables, NAMES[1]) == dict.fromkeys(names, 1)


def test_each_request_and_each_prediction_is_a_row(tmp_path: Path, tables: DeltaTables) -> None:
    kept, models = recording(tmp_path, keep={"flight": "long"}), registry()
    with serve(spec(recording=kept), models, tables) as served:
        good = ask(served.url, rows({**ROW, "flight": 7}, {"seats": 3}), x_request_id="mine")
        bad = ask(served.url, b"{")
        assert served.flush()
        assert 'recorded_rows_total{table="rows"} 2' in get(served.url, "/metrics").text
    payload = {row["request_id"]: row for row in tables.to_arrow(NAMES[0]).to_pylist()}
    first, second = payload[good.json["request_id"]], payload[bad.json["request_id"]]
    assert (first["client_request_id"], first["status_code"], first["response"]) == ("mine", 200, good.text)
    assert (first["model_version"], first["alias"], first["role"]) == (1, "champion", "served")
    assert (second["status_code"], second["request"], second["model_version"]) == (400, "{", 1)
    found = sorted(tables.to_arrow(NAMES[1]).to_pylist(), key=lambda row: row["row"])
    assert list(found[0]) == [
        "request_id",
        "client_request_id",
        "row",
        "alias",
        "role",
        "wind",
        "seats",
        "flight",
        *ADDED,
    ]
    assert [row["score"] for row in found] == [good.json["predictions"][0][1], None]
    assert [row["problem"] for row in found] == [None, "null in wind"]
    assert [row["flight"] for row in found] == [7, None]
    assert {row["run_id"] for row in found} == {models.version(NAME, 1).run_id}


def test_a_column_that_is_to_be_kept_and_has_another_type_is_refused_by_its_name(
    tmp_path: Path, tables: DeltaTables
) -> None:
    with serve(spec(recording=recording(tmp_path, keep={"flight": "long"})), registry(), tables) as served:
        answer = ask(served.url, rows({**ROW, "flight": "UA 7"}))
    assert (answer.status, "column 'flight' is long, and its value in row 0, 'UA 7'" in answer.text) == (400, True)
    (row,) = tables.to_arrow(NAMES[0]).to_pylist()
    assert row["status_code"] == 400


def test_shadows_have_a_table_of_their_own(tmp_path: Path, tables: DeltaTables) -> None:
    models = registry()
    models.set_alias(NAME, "challenger", 2)
    with serve(spec(recording=recording(tmp_path), shadow=("challenger",)), models, tables) as served:
        answer = ask(served.url, rows())
    request = answer.json["request_id"]
    assert [ids(tables, name) for name in NAMES] == [{request: 2}, {request: 1}, {request: 1}]
    assert tables.to_arrow(NAMES[2])["model_version"].to_pylist() == [2]


def test_a_share_is_kept(tmp_path: Path, tables: DeltaTables) -> None:
    with serve(spec(recording=recording(tmp_path, sampling=0.5)), registry(), tables) as served:
        assert all(ask(served.url, rows()).status == 200 for _ in range(40))
    kept = tables.to_arrow(NAMES[0])
    assert 5 < kept.num_rows < 35
    assert set(kept["sampling_fraction"].to_pylist()) == {0.5}


# -------------------------------------------------------------------------------------------------- once each


class Dying:
    """Tables that fail at one point of their use, as if the process were killed there."""

    def __init__(self, tables: DeltaTables, point: int) -> None:
        self._tables, self._left = tables, point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    def write(self, *args: Any, **kwargs: Any) -> Any:
        if self._left == 0:
            raise RuntimeError("killed before a commit")
        made = self._tables.write(*args, **kwargs)
        self._left -= 1
        if self._left == 0:
            raise RuntimeError("killed after a commit")
        return made


@pytest.mark.parametrize("point", [0, 1, 2, 3])
def test_what_a_killed_process_recorded_is_there_once(recorders: Any, tables: DeltaTables, point: int) -> None:
    first = recorders(Dying(tables, point))
    add(first, "a", "b")
    first.flush()
    add(first, "c")
    kill(first)
    second = recorders()
    add(second, "d")
    assert second.flush()
    expected = dict.fromkeys("abcd", 1)
    assert [ids(tables, name) for name in NAMES] == [expected, expected, {}]


def test_a_half_written_record_is_passed_over_and_the_next_one_is_whole(recorders: Any, tables: DeltaTables) -> None:
    first = recorders()
    add(first, "a")
    kill(first)
    with segments_of(first.spool._held.folder)[-1].open("ab") as file:
        file.write(line_of(2, encoded(record("lost", wind=1.0)))[:-20])
    second = recorders()
    add(second, "b")
    assert second.flush()
    assert ids(tables, NAMES[1]) == {"a": 1, "b": 1}


def test_half_a_record_alone_is_passed_over_too(recorders: Any, tables: DeltaTables) -> None:
    first = recorders()
    kill(first)
    segments_of(first.spool._held.folder)[-1].write_bytes(b"1 0000")
    second = recorders()
    add(second, "b")
    assert second.flush()
    kill(second)
    third = recorders()
    add(third, "c")
    assert third.flush()
    assert ids(tables, NAMES[0]) == {"b": 1, "c": 1}


def test_numbers_go_on_after_all_is_in_the_tables(recorders: Any, tables: DeltaTables) -> None:
    for name in "abc":
        recorder = recorders()
        add(recorder, name)
        assert recorder.close()
    assert ids(tables, NAMES[0]) == dict.fromkeys("abc", 1)


def test_processes_have_a_spool_each_and_one_takes_over_that_of_another(recorders: Any, tables: DeltaTables) -> None:
    first, second = recorders(), recorders()
    assert first.spool._held.folder != second.spool._held.folder
    add(first, "a")
    add(second, "b")
    kill(second)
    assert first.flush()
    assert ids(tables, NAMES[0]) == {"a": 1, "b": 1}
    assert claim_left(first._recording.folder) == []
    third = recorders()
    add(third, "c")
    assert third.flush()
    assert ids(tables, NAMES[0]) == dict.fromkeys("abc", 1)


def test_records_that_tables_do_not_take_now_wait(recorders: Any, tables: DeltaTables) -> None:
    class Away(Dying):
        def write(self, *args: Any, **kwargs: Any) -> Any:
            raise TableError("the store is away")

    recorder = recorders(Away(tables, 0))
    add(recorder, "a")
    assert not recorder.flush()
    assert recorder.trouble == "the store is away"
    assert recorder.spool.size > 0
    recorder._tables = tables
    assert recorder.flush() and recorder.trouble == ""
    assert ids(tables, NAMES[0]) == {"a": 1}


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_line_that_is_not_whole_is_no_record(cut: int) -> None:
    line = line_of(7, encoded(record("a", wind=1.0)))[:-1]
    assert decoded(line) == (7, record("a", wind=1.0))
    assert decoded(line[:-cut]) is None
    assert decoded(line.replace(b"champion", b"Champion")) is None
    assert decoded(b"8" + line[1:]) is None


# -------------------------------------------------------------------------------------------------- what does not fit


def test_a_new_column_is_added_and_a_retyped_one_is_in_the_payload_alone(recorders: Any, tables: DeltaTables) -> None:
    recorder = recorders()
    add(recorder, "a", wind=1.0)
    assert recorder.flush()
    add(recorder, "b", gust=2.0)
    add(recorder, "c", wind="strong")
    assert recorder.flush()
    assert ids(tables, NAMES[0]) == dict.fromkeys("abc", 1)
    found = {row["request_id"]: (row["wind"], row["gust"]) for row in tables.to_arrow(NAMES[1]).to_pylist()}
    assert found == {"a": (1.0, None), "b": (None, 2.0)}
    assert recorder.counts["retyped"] == 1


def test_a_score_that_is_a_list_by_now_is_in_the_payload_alone(recorders: Any, tables: DeltaTables) -> None:
    recorder = recorders()
    add(recorder, "a", wind=1.0)
    several = record("b", wind=1.0)
    assert several.predictions is not None
    predictions = replace(several.predictions, scores=[[0.25, 0.75]])
    assert recorder.spool.append(encoded(replace(several, predictions=predictions))).result(120)
    assert recorder.flush()
    assert (ids(tables, NAMES[1]), recorder.counts["retyped"]) == ({"a": 1}, 1)


def test_several_scores_are_a_list_in_the_table() -> None:
    given = record("a", wind=1.0)
    assert given.predictions is not None
    predictions = replace(given.predictions, scores=[[0.25, 0.75]])
    made = prediction_rows([replace(given, predictions=predictions)], {}, shadow=False)
    assert made.table["score"].type == pa.list_(pa.float64())


def test_a_table_that_refuses_rows_for_ever_holds_up_nothing(recorders: Any, tables: DeltaTables) -> None:
    class Strict(Dying):
        def write(self, name: str, *args: Any, **kwargs: Any) -> Any:
            if name.endswith("_rows"):
                raise DataError("the constraint does not hold")
            return self._tables.write(name, *args, **kwargs)

    recorder = recorders(Strict(tables, 9))
    add(recorder, "a")
    assert recorder.flush()
    kill(recorder)
    again = recorders()
    add(again, "b")
    assert again.flush()
    assert (ids(tables, NAMES[0]), ids(tables, NAMES[1])) == ({"a": 1, "b": 1}, {"b": 1})


def test_columns_of_somebody_else_are_null(recorders: Any, tables: DeltaTables) -> None:
    columns = {
        "request_id": ["x"],
        "label": pa.array([None], pa.decimal128(10, 2)),
        "due": pa.array([None], pa.date32()),
    }
    tables.write(NAMES[1], pa.table(columns), expect=TableExpectations())
    recorder = recorders()
    add(recorder, "a")
    assert recorder.flush()
    assert ids(tables, NAMES[1]) == {"a": 1, "x": 1}


# -------------------------------------------------------------------------------------------------- the disk


def test_a_spool_that_is_full_drops_and_counts_and_serving_goes_on(tmp_path: Path, tables: DeltaTables) -> None:
    kept = recording(tmp_path, most_bytes=2000)
    with serve(spec(recording=kept), registry(), tables) as served:
        assert all(ask(served.url, rows()).status == 200 for _ in range(10))
        dropped = served._parts.recorder.spool.dropped  # type: ignore[union-attr]
        assert dropped > 0
        assert "requests were answered and not recorded" in str(served.health()["problems"])
        assert served.flush()
        assert ask(served.url, rows()).status == 200
    assert tables.to_arrow(NAMES[0]).num_rows == 11 - dropped


def test_a_disk_that_hangs_holds_up_no_more_than_a_request_may_take(
    tmp_path: Path, tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, real = threading.Event(), os.fdatasync
    with serve(spec(recording=recording(tmp_path), limits=Limits(seconds=0.5)), registry(), tables) as served:
        monkeypatch.setattr(os, "fdatasync", lambda handle: (go.wait(120), real(handle)))
        answer = ask(served.url, rows())
        assert (answer.status, "could not be recorded in 0.5 s" in answer.message) == (504, True)
        go.set()
        until(lambda: ask(served.url, rows()).status == 200)


@contextmanager
def small_files() -> Iterator[None]:
    """The kernel refuses to let a file grow beyond a page, in the middle of a write; pytest's own log too."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_the_disk_ends_half_way_leaves_nothing_of_it(tmp_path: Path) -> None:
    spool = Spool(held := claim(tmp_path), 10**9)
    bodies = [encoded(record(str(n), wind=1.0, text="x" * 200)) for n in range(20)]
    with small_files():
        kept = [spool.append(body).result(120) for body in bodies]
    assert any(kept) and not all(kept)
    assert spool.dropped == kept.count(False)
    found = [each.request_id for path in segments_of(held.folder) for _, each in records_of(path)]
    assert found == [str(n) for n, was_kept in enumerate(kept) if was_kept]
    spool.close()
    spool.release()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, tables: DeltaTables) -> None:
    (tmp_path / "records").write_text("")
    with pytest.raises(SetupError, match=r"the folder of records .* cannot be used"):
        Recorder(recording(tmp_path), tables)


def test_records_are_for_this_user_alone(recorders: Any) -> None:
    recorder = recorders()
    add(recorder, "a")
    folder = recorder.spool._held.folder
    modes = {oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())}
    assert modes == {"0o700", "0o600"}


def test_the_flusher_works_by_itself(recorders: Any, tables: DeltaTables) -> None:
    recorder = recorders(every=0.01)
    add(recorder, "a")
    until(lambda: ids(tables, NAMES[1]) == {"a": 1})


def test_many_records_are_one_sync(recorders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, syncs = recorders(), list[int]()
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (syncs.append(handle), real(handle)))
    add(recorder, *map(str, range(500)))
    assert len(syncs) < 250


def test_a_recording_that_is_wrong_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="5 problems"):
        Recording("a b", tmp_path, sampling=0, every=0, most_bytes=0, keep={"a": "int"})


def test_records_are_json(tmp_path: Path) -> None:
    line = line_of(1, encoded(record("a", wind=1.0)))
    assert json.loads(line.split(b" ", 2)[2])["predictions"]["scores"] == [0.5]
