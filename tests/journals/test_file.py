from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.errors import JournalError, SpecError
from sparkml_track.journals import (
    Appended,
    Journal,
    Place,
    Record,
    _file,
    _segments,
    follow,
    last,
    open_journal,
    problem_with_home,
    read,
    sweeps,
)
from sparkml_track.testing.journals import JournalCase


def write(home: Path, *numbers: int, sweep: str = "sweep") -> Path:
    """One driver that writes each record in a group of its own; the folder."""
    journal = open_journal(home, sweep)
    for number in numbers:
        journal.append([Record("accepted", {"number": number})])
        journal.flush()
    journal.close()
    return home / "journal" / sweep


def numbers(home: Path, sweep: str = "sweep") -> list[object]:
    return [record.body["number"] for record in read(home, sweep)]


def next_epoch(home: Path) -> int:
    journal = open_journal(home, "sweep")
    journal.close()
    return journal.epoch


class TestFileJournal(JournalCase):
    @pytest.fixture(autouse=True)
    def use(self, home: Path) -> None:
        self._home = home

    def open(self, sweep: str) -> Journal:
        return open_journal(self._home, sweep)

    def follow(self, sweep: str, since: Place | None) -> Iterator[Appended]:
        return follow(self._home, sweep, since)

    def abandon(self, journal: Journal) -> None:
        # As after kill -9: no lock and no heartbeat any more. That this process lives must not matter.
        lease = journal._lease  # type: ignore[attr-defined]
        lease._done.set()
        fcntl.flock(lease._fd, fcntl.LOCK_UN)

    def test_it_is_durable(self, journal: Journal) -> None:
        assert journal.durable


def test_it_is_its_users_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        journal = open_journal(home, "sweep")
        journal.append([Record("accepted", {"number": 0})])
        journal.flush()
        folder = home / "journal" / "sweep"
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        journal.close()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert any(name.endswith(".seg") for name in modes)
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}


def test_nobody_changes_what_another_driver_wrote(home: Path) -> None:
    folder = write(home, 0, 1)
    before = {path.name: path.read_bytes() for path in folder.glob("*.seg")}
    write(home, 2)
    after = {path.name: path.read_bytes() for path in folder.glob("*.seg")}
    assert list(before) == ["00000001-e0001.seg"]
    assert sorted(after) == ["00000001-e0001.seg", "00000002-e0002.seg"]
    assert {name: after[name] for name in before} == before


def test_a_driver_that_writes_nothing_leaves_no_segment(home: Path) -> None:
    assert list(write(home).glob("*.seg")) == []
    assert numbers(home) == []


def test_a_full_segment_is_followed_by_a_new_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_segments, "SEGMENT_BYTES", 400)
    folder = write(home, *range(30))
    assert len(list(folder.glob("*-e0001.seg"))) > 3
    assert max(path.stat().st_size for path in folder.glob("*.seg")) < 500
    assert numbers(home) == list(range(30))


def test_a_group_is_one_write_and_one_sync(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sync, put = _file._sync_file, _file.os.write
    monkeypatch.setattr(_file, "_sync_file", lambda fd: (calls.append("sync"), sync(fd)))
    monkeypatch.setattr(_file.os, "write", lambda fd, data: (calls.append("write"), put(fd, data))[1])
    journal = open_journal(home, "sweep")
    journal.append([Record("plan", {})])
    journal.flush()
    calls.clear()
    for number in range(100):
        journal.append([Record("accepted", {"number": number})])
    assert calls == []
    journal.flush()
    journal.flush()
    assert calls == ["write", "sync"]
    journal.close()


def test_a_short_write_is_continued(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = _file.os.write
    monkeypatch.setattr(_file.os, "write", lambda fd, data: put(fd, data[:7]))
    write(home, *range(5))
    assert numbers(home) == list(range(5))


def test_a_journal_deleted_under_the_driver_is_no_success(home: Path) -> None:
    journal = open_journal(home, "sweep")
    journal.append([Record("plan", {})])
    journal.flush()
    (home / "journal" / "sweep" / "00000001-e0001.seg").unlink()
    journal.append([Record("accepted", {})])
    with pytest.raises(JournalError, match=r"00000001-e0001\.seg: the file was deleted"):
        journal.flush()
    journal.close()


def test_a_failed_write_is_told_each_time_and_the_lease_is_given_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(home, "sweep")
    journal.append([Record("accepted", {"number": 0})])
    journal.flush()
    with monkeypatch.context() as patch:
        patch.setattr(_file, "_sync_file", lambda fd: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        journal.append([Record("accepted", {"number": 1})])
        with pytest.raises(JournalError, match=r"cannot write to .*00000001-e0001\.seg: Input/output error"):
            journal.flush()
    # The kernel may have dropped what it could not write, so a second fsync that works proves nothing.
    with pytest.raises(JournalError, match="Input/output error"):
        journal.flush()
    journal.close()
    assert next_epoch(home) == 2


def test_close_tells_that_its_flush_failed_and_still_gives_the_lease_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(home, "sweep")
    journal.append([Record("plan", {})])
    with monkeypatch.context() as patch:
        patch.setattr(_file, "_sync_file", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(JournalError, match="No space left on device"):
            journal.close()
    assert next_epoch(home) == 2


def test_reading_needs_no_lease_and_sees_what_a_live_driver_flushed(home: Path) -> None:
    journal = open_journal(home, "sweep")
    journal.append([Record("accepted", {"number": 0})])
    journal.flush()
    journal.append([Record("accepted", {"number": 1})])
    assert numbers(home) == [0]
    journal.flush()
    assert numbers(home) == [0, 1]
    journal.close()


def test_reading_changes_nothing(home: Path) -> None:
    folder = write(home, 0)
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    assert numbers(home) == [0]
    assert len(sweeps(home)) == 1
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


def test_reading_an_unknown_sweep_names_those_there_are(home: Path) -> None:
    write(home, 0, sweep="flights")
    with pytest.raises(JournalError, match=r"no journal of sweep 'flight' .*sweeps there: flights"):
        read(home, "flight")
    assert sorted(path.name for path in (home / "journal").iterdir()) == ["flights"]


def test_sweeps_are_listed_with_epoch_and_holder(home: Path) -> None:
    assert list(sweeps(home)) == []
    write(home, 0, sweep="old")
    write(home, 1, sweep="old")
    journal = open_journal(home, "live")
    journal.append([Record("plan", {})])
    journal.flush()
    found = {entry.sweep: entry for entry in sweeps(home)}
    assert {name: (entry.epoch, entry.holder is not None) for name, entry in found.items()} == {
        "live": (1, True),
        "old": (2, False),
    }
    segment = home / "journal" / "old" / "00000002-e0002.seg"
    assert found["old"].modified == segment.stat().st_mtime
    assert [entry.sweep for entry in sweeps(home)] == ["live", "old"]
    journal.close()


def test_strangers_in_the_folder_are_left_alone(home: Path) -> None:
    folder = write(home, 0)
    for name in ("notes.txt", "00000009-e0009.seg.bak", ".nfs000012", "e0009.lease~"):
        (folder / name).write_text("not ours")
    (home / "journal" / "not a sweep").mkdir()
    (home / "journal" / "empty").mkdir()
    assert numbers(home) == [0]
    assert [(entry.sweep, entry.epoch) for entry in sweeps(home)] == [("sweep", 1)]
    write(home, 1)
    assert (folder / "00000002-e0002.seg").exists()


@pytest.mark.parametrize("sweep", ["", ".", "..", "a/b", "a\n", "x" * 65, "ü", "a b"])
def test_an_id_that_could_leave_the_home_is_refused(home: Path, sweep: str) -> None:
    for use in (open_journal, read):
        with pytest.raises(SpecError, match="allowed are 1 to 64 letters, digits, '_' and '-'"):
            use(home, sweep)
    assert not home.exists()


def test_a_good_home_has_no_problem_and_is_left_empty(home: Path) -> None:
    assert problem_with_home(home) is None
    assert [path.name for path in home.rglob("*")] == ["journal"]


@pytest.mark.parametrize("place", ["a file", "/proc"])
def test_an_unusable_home_is_named_with_the_way_out(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    problem = problem_with_home(tmp_path / place / "home")
    assert problem is not None
    assert f"{place}/home" in problem
    assert "set SPARKML_HOME to a folder that can be written" in problem
    with pytest.raises(JournalError, match=r"cannot make the journal in .*SPARKML_HOME"):
        open_journal(tmp_path / place / "home", "sweep")


def test_the_last_record_is_found_at_a_torn_end_too(home: Path) -> None:
    folder = write(home, 0, 1, 2)
    found = last(home, "sweep")
    assert found is not None and found.body == {"number": 2}
    (segment,) = folder.glob("*.seg")
    segment.write_bytes(segment.read_bytes()[:-5])
    found = last(home, "sweep")
    assert found is not None and found.body == {"number": 1}
    next_epoch(home)
    found = last(home, "sweep")
    assert found is not None and found.body == {"number": 1}
    open_journal(home, "empty").close()
    assert last(home, "empty") is None
