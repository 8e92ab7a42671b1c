"""Who may write: faults 23 and 55, with real processes where a process is meant."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkml_track.errors import JournalError, LeaseHeld
from sparkml_track.journals import Journal, Record, ask_to_stop, open_journal, read, sweeps
from sparkml_track.journals._file import open_file
from sparkml_track.journals._lease import Pulse
from tests.clusters import wait_until
from tests.journals.conftest import Driver

DRIVER = """
import os, sys
from pathlib import Path
from sparkml_track.journals import Journal, Record, open_journal
journal = open_journal(Path(sys.argv[1]), "sweep")
journal.append([Record("accepted", {"number": journal.epoch})])
journal.flush()
if sys.argv[2:] == ["fork"] and not os.fork():
    os.close(1)
    os.read(0, 1)
    os._exit(0)
print("ready", flush=True)
sys.stdin.readline()
journal.close()
"""

RACER = """
import sys
from pathlib import Path
from sparkml_track.errors import LeaseHeld
from sparkml_track.journals import open_journal
held = []
for line in sys.stdin:
    try:
        held.append(open_journal(Path(sys.argv[1]), line.strip()))
        print("won", held[-1].epoch, flush=True)
    except LeaseHeld as error:
        print("lost", error, flush=True)
"""


def started(driver: Driver, home: Path, *args: str) -> int:
    """The pid of a driver that holds the sweep."""
    process = driver(DRIVER, home, *args)
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process.pid


def kill(pid: int) -> None:
    """Kills a child and leaves it a zombie, as under a parent that is busy."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def numbers(home: Path) -> list[object]:
    return [record.body["number"] for record in read(home, "sweep")]


def test_a_second_process_is_refused_by_host_and_pid_of_the_first(home: Path, driver: Driver) -> None:
    pid = started(driver, home)
    (entry,) = sweeps(home)
    assert entry.holder is not None
    assert (entry.holder.host, entry.holder.pid) == (socket.gethostname(), pid)
    with pytest.raises(LeaseHeld, match=rf"pid {pid} on host {socket.gethostname()}, since .*\(kill {pid}\)"):
        open_journal(home, "sweep")
    assert numbers(home) == [1]


def test_a_frozen_driver_on_this_host_is_alive(home: Path, driver: Driver) -> None:
    pid = started(driver, home)
    os.kill(pid, signal.SIGSTOP)
    age(home, 1, 3600)
    with pytest.raises(LeaseHeld, match=f"pid {pid}"):
        open_journal(home, "sweep")


@pytest.mark.parametrize("args", [(), ("fork",)], ids=["alone", "with a fork that lives on and has the lock"])
def test_a_killed_driver_is_taken_over_at_once(home: Path, driver: Driver, args: tuple[str, ...]) -> None:
    kill(started(driver, home, *args))
    assert [entry.holder for entry in sweeps(home)] == [None]
    journal = open_file(home, "sweep", Pulse(sleep=never))
    assert (journal.epoch, [record.body["number"] for record in journal.replay()]) == (2, [1])
    journal.close()


@pytest.mark.parametrize("dead", [False, True], ids=["a new sweep", "a sweep whose driver was killed"])
def test_of_racing_processes_exactly_one_wins(home: Path, driver: Driver, dead: bool) -> None:
    names = [f"s{number}" for number in range(20)]
    if dead:
        first = driver(RACER, home)
        assert {ask([first], name)[0] for name in names} == {"won 1"}
        kill(first.pid)
    racers = [driver(RACER, home) for _ in range(4)]
    for name in names:
        answers = ask(racers, name)
        winners = [racer for racer, answer in zip(racers, answers, strict=True) if answer.startswith("won")]
        assert len(winners) == 1, answers
        assert f"won {1 + dead}" in answers
        assert sum(f"pid {winners[0].pid} " in answer for answer in answers) == len(racers) - 1
    assert list(home.rglob(".claim*")) == []


def ask(racers: list, name: str) -> list[str]:
    """Sends all the same name, then takes the answers."""
    for racer in racers:
        racer.stdin.write(name + "\n")
        racer.stdin.flush()
    return [racer.stdout.readline().strip() for racer in racers]


def never(seconds: float) -> None:
    raise AssertionError(f"waits {seconds} s")


def forge(home: Path, **changes: object) -> Path:
    """A lease of epoch 1 that was never given back, as another process, host or kernel would have left it."""
    journal = open_journal(home, "sweep")
    journal.append([Record("accepted", {"number": 0})])
    journal.close()
    folder = home / "journal" / "sweep"
    (folder / "e0001.released").unlink()
    lease = folder / "e0001.lease"
    lease.write_text(json.dumps({**json.loads(lease.read_text()), **changes}))
    return lease


def age(home: Path, epoch: int, seconds: float) -> None:
    """Sets the last heartbeat back."""
    lease = home / "journal" / "sweep" / f"e{epoch:04d}.lease"
    os.utime(lease, (time.time() - seconds,) * 2)


def epoch_taken(home: Path, sleep: Callable[[float], None] = never) -> int:
    journal = open_file(home, "sweep", Pulse(every=4, stale=30, sleep=sleep))
    journal.close()
    return journal.epoch


def test_a_pid_that_was_given_to_another_process_does_not_hold(home: Path) -> None:
    forge(home, start="1", locked=False)
    assert epoch_taken(home) == 2


def test_a_living_process_without_its_lock_has_let_go(home: Path) -> None:
    forge(home)
    assert epoch_taken(home) == 2


def test_two_who_look_at_the_same_time_do_not_take_each_other_for_the_holder(home: Path) -> None:
    with forge(home).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert epoch_taken(home) == 2


def test_a_living_process_that_could_not_lock_holds(home: Path) -> None:
    forge(home, locked=False)
    with pytest.raises(LeaseHeld, match=f"pid {os.getpid()}"):
        epoch_taken(home)


def test_a_driver_on_another_host_with_an_old_heartbeat_is_dead(home: Path) -> None:
    forge(home, host="elsewhere", boot="other")
    age(home, 1, 31)
    assert sweeps(home)[0].holder is None
    assert epoch_taken(home) == 2


def test_a_driver_on_another_host_that_beats_while_watched_holds(home: Path) -> None:
    forge(home, host="elsewhere", boot="other", pid=77)
    age(home, 1, 10)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            age(home, 1, 0)

    with pytest.raises(LeaseHeld, match=r"pid 77 on host elsewhere.*\(kill 77 on elsewhere\)"):
        epoch_taken(home, sleep)
    assert waits == [2, 2, 2]


def test_a_driver_on_another_host_is_watched_until_its_heartbeat_is_stale_and_no_longer(home: Path) -> None:
    lease = forge(home, host="elsewhere", boot="other")
    age(home, 1, 0)
    waits: list[float] = []
    # Time passes for the file system's clock, not for the lease.
    start = lease.stat().st_mtime

    def sleep(seconds: float) -> None:
        waits.append(seconds)

    def clock(self: object, path: Path) -> float:
        return start + sum(waits) - path.stat().st_mtime

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparkml_track.journals._lease.FileLease._age", clock)
        assert epoch_taken(home, sleep) == 2
    assert sum(waits) == pytest.approx(30)
    assert max(waits) <= 2


def test_a_lease_that_is_given_back_while_watched_is_free(home: Path) -> None:
    forge(home, host="elsewhere", boot="other")
    assert sweeps(home)[0].holder is not None
    assert epoch_taken(home, lambda _: (home / "journal/sweep/e0001.released").touch()) == 2


def test_a_lock_held_in_another_container_of_this_kernel_holds_however_old_the_heartbeat(home: Path) -> None:
    lease = forge(home, pids="pid:[1]", pid=99)
    age(home, 1, 3600)
    with lease.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LeaseHeld, match="pid 99"):
            epoch_taken(home)
    assert epoch_taken(home) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\0" * 180])
def test_a_lease_that_says_nothing_goes_by_its_heartbeat(home: Path, text: str) -> None:
    forge(home).write_text(text)
    with pytest.raises(AssertionError, match="waits"):
        epoch_taken(home)
    age(home, 1, 31)
    assert epoch_taken(home) == 2


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_hard_links_has_leases_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def no_link(self: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "hardlink_to", no_link)
    journal = open_journal(home, "sweep")
    with pytest.raises(LeaseHeld, match=f"pid {os.getpid()}"):
        epoch_taken(home)
    journal.close()
    assert epoch_taken(home) == 2


def test_a_file_system_without_locks_has_leases_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_lock(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_lock)
    journal = open_journal(home, "sweep")
    with pytest.raises(LeaseHeld, match=f"pid {os.getpid()}"):
        epoch_taken(home)
    journal.close()
    assert epoch_taken(home) == 2


def heart(journal: Journal) -> threading.Thread:
    return journal._lease._heart  # type: ignore[attr-defined]


def test_a_held_lease_beats_until_it_is_closed(home: Path) -> None:
    journal = open_file(home, "sweep", Pulse(every=0.01))
    age(home, 1, 3600)
    deadline = time.monotonic() + 20
    while time.time() - (home / "journal/sweep/e0001.lease").stat().st_mtime > 60:
        assert time.monotonic() < deadline, "no heartbeat"
    thread = heart(journal)
    journal.close()
    thread.join(20)
    assert not thread.is_alive()


def test_a_heart_that_stopped_is_told_by_the_next_flush(home: Path) -> None:
    journal = open_file(home, "sweep", Pulse(every=0.01))
    thread = heart(journal)
    (home / "journal/sweep/e0001.lease").unlink()
    thread.join(20)
    journal.append([Record("plan", {})])
    with pytest.raises(JournalError, match=r"cannot be kept alive: .*No such file"):
        journal.flush()
    journal.close()


def test_a_refused_driver_leaves_nothing(home: Path, driver: Driver) -> None:
    started(driver, home)
    threads = set(threading.enumerate())
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with pytest.raises(LeaseHeld):
        open_journal(home, "sweep")
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert set(threading.enumerate()) <= threads


def test_a_driver_is_asked_to_stop_and_the_next_one_is_not(home: Path) -> None:
    journal = open_file(home, "sweep", Pulse(every=0.01))
    assert not journal.asked_to_stop
    holder = ask_to_stop(home, "sweep")
    assert holder is not None
    assert holder.pid == os.getpid()
    wait_until(lambda: journal.asked_to_stop, 30)
    journal.append([Record("accepted", {"number": 1})])
    journal.close()
    assert ask_to_stop(home, "sweep") is None, "nobody runs it"
    again = open_file(home, "sweep", Pulse(every=0.01))
    ticks = again._lease._folder / "e0002.lease"  # type: ignore[attr-defined]
    before = ticks.stat().st_mtime_ns
    wait_until(lambda: ticks.stat().st_mtime_ns != before, 30)
    assert not again.asked_to_stop, "it was the one before that was asked"
    assert ask_to_stop(home, "sweep") is not None
    wait_until(lambda: again.asked_to_stop, 30)
    again.close()


def test_there_is_nobody_to_ask_where_there_is_no_sweep(home: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal of sweep 'other'"):
        ask_to_stop(home, "other")
