"""Journals in an object store, over a real S3 server on loopback, with real processes where a process is meant."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sparkml_track.address import ObjectAddress
from sparkml_track.errors import JournalError, LeaseHeld
from sparkml_track.home import Home
from sparkml_track.journals import (
    Appended,
    Journal,
    Place,
    Record,
    ask_to_stop,
    follow,
    last,
    open_journal,
    problem_with_home,
    read,
    sweeps,
)
from sparkml_track.journals._lease import Pulse
from sparkml_track.journals._objects.asking import Patience, client_of
from sparkml_track.journals._objects.opened import open_objects
from sparkml_track.testing.journals import JournalCase
from sparkml_track.testing.objects import KEY, SECRET, ObjectServer
from tests.clusters import wait_until
from tests.journals.conftest import Driver

pytestmark = pytest.mark.slow

DRIVER = """
import sys
from pathlib import Path
from sparkml_track.journals import Record, open_journal
journal = open_journal(Path(sys.argv[1]), "sweep")
for number in range(3):
    journal.append([Record("accepted", {"number": number})])
    journal.flush()
journal.append([Record("accepted", {"number": 99})])
print("ready", flush=True)
sys.stdin.readline()
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


def record(number: int) -> Record:
    return Record("accepted", {"number": number})


def numbers(home: Path) -> list[object]:
    return [one.body["number"] for one in read(home, "sweep")]


@pytest.fixture
def home(s3: str) -> Path:
    return Home.find(f"{s3}/home").root


@pytest.fixture
def store(home: Path) -> ObjectAddress:
    store = Home(home).store
    assert store is not None
    return store


def objects(store: ObjectAddress, end: str = "") -> list[ObjectAddress]:
    found = client_of(store.bucket).walk(store / "journal" / "sweep")
    return [each.address for each in found if each.address.name.endswith(end)]


def changed_claim(store: ObjectAddress, epoch: int, **changes: object) -> None:
    """Lets the lease of an epoch say something else."""
    client, at = client_of(store.bucket), store / "journal" / "sweep" / f"e{epoch:04d}.lease"
    client.put(at, json.dumps(json.loads(client.read(at) or b"") | changes).encode())


class TestObjectJournal(JournalCase):
    @pytest.fixture(autouse=True)
    def use(self, home: Path, store: ObjectAddress) -> None:
        self._home, self._store = home, store

    def open(self, sweep: str) -> Journal:
        return open_journal(self._home, sweep)

    def follow(self, sweep: str, since: Place | None) -> Iterator[Appended]:
        return follow(self._home, sweep, since)

    def abandon(self, journal: Journal) -> None:
        # As after kill -9: the process that took it is not there any more, and there is no heartbeat.
        journal._lease._done.set()  # type: ignore[attr-defined]
        changed_claim(self._store, journal.epoch, start="of another process")

    def test_it_is_durable(self, journal: Journal) -> None:
        assert journal.durable


def test_nothing_lies_in_the_local_folder(home: Path) -> None:
    open_journal(home, "sweep").close()
    assert not home.exists()


def test_each_flush_is_one_object_that_is_never_changed(home: Path, store: ObjectAddress) -> None:
    journal = open_journal(home, "sweep")
    for number in range(3):
        journal.append([record(number)])
        journal.flush()
    journal.close()
    client = client_of(store.bucket)
    before = {at: client.read(at) for at in objects(store, ".seg")}
    open_journal(home, "sweep").close()
    assert len(before) == 3
    assert {at: client.read(at) for at in objects(store, ".seg")} == before


def test_a_killed_driver_is_taken_over_at_once_with_what_it_acknowledged(home: Path, driver: Driver) -> None:
    process = driver(DRIVER, home)
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    with pytest.raises(LeaseHeld, match=f"pid {process.pid}"):
        open_journal(home, "sweep")
    (entry,) = sweeps(home)
    assert entry.holder is not None
    assert entry.holder.pid == process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [entry.holder for entry in sweeps(home)] == [None]
    journal = open_journal(home, "sweep")
    assert (journal.epoch, journal.repaired) == (2, None)
    assert [one.body["number"] for one in journal.replay()] == [0, 1, 2]
    journal.close()
    assert last(home, "sweep") == record(2)


def test_of_racing_processes_exactly_one_wins(home: Path, driver: Driver) -> None:
    racers = [driver(RACER, home) for _ in range(3)]
    for name in [f"s{number}" for number in range(8)]:
        for racer in racers:
            racer.stdin.write(name + "\n")
            racer.stdin.flush()
        answers = [racer.stdout.readline() for racer in racers]
        assert sorted(answer.split()[0] for answer in answers) == ["lost", "lost", "won"], answers


def test_a_driver_elsewhere_is_watched_for_a_heartbeat_and_then_taken_over(home: Path, store: ObjectAddress) -> None:
    first = open_objects(store / "journal", "sweep", Pulse(every=3600))
    first.append([record(0)])
    first.flush()
    changed_claim(store, 1, host="elsewhere", boot="another", pid=4711)
    beating, looks = [True], list[float]()

    def look(seconds: float) -> None:
        looks.append(seconds)
        if beating[0]:  # the store's clock has whole seconds
            time.sleep(1.1)
            client_of(store.bucket).put(store / "journal" / "sweep" / "e0001.beat", b"")

    with pytest.raises(LeaseHeld, match="pid 4711 on host elsewhere"):
        open_objects(store / "journal", "sweep", Pulse(sleep=look))
    beating[0] = False
    second = open_objects(store / "journal", "sweep", Pulse(stale=0.0, sleep=look))
    assert (second.epoch, len(looks) > 0) == (2, True)
    first.append([record(99)])
    with pytest.raises(LeaseHeld, match="driver 2 of this sweep"):
        first.flush()
    second.append([record(1)])
    second.close()
    assert numbers(home) == [0, 1]


def test_a_store_that_is_away_for_a_while_is_waited_for_and_the_loop_goes_on(
    store: ObjectAddress, home: Path, object_server: ObjectServer, caplog: pytest.LogCaptureFixture
) -> None:
    tries = threading.Event()
    journal = open_objects(
        store / "journal", "sweep", patience=Patience(sleep=lambda _: (tries.set(), time.sleep(0.05))[1])
    )
    object_server.fail("503")
    journal.append([record(0)])
    journal.begin_flush()
    assert tries.wait(60)
    journal.append([record(1)])
    assert journal.flushing()
    object_server.fail()
    journal.flush()
    assert not journal.flushing()
    assert numbers(home) == [0, 1]
    journal.close()
    assert "the journal waits up to 300 s for its store" in caplog.text
    assert "is back" in caplog.text
    assert KEY not in caplog.text
    assert SECRET not in caplog.text


def test_a_store_that_stays_away_ends_the_sweep_in_one_sentence(
    store: ObjectAddress, home: Path, object_server: ObjectServer
) -> None:
    journal = open_objects(store / "journal", "sweep", patience=Patience(longest=0))
    journal.append([record(0)])
    journal.flush()
    object_server.fail("503")
    journal.append([record(1)])
    for call in (journal.flush, journal.flush, lambda: journal.append([record(2)])):
        with pytest.raises(JournalError, match="the store failed or is overloaded") as raised:
            call()
        assert KEY not in str(raised.value)
    journal.close()
    object_server.fail()
    assert numbers(home) == [0]


def test_a_flush_behind_that_fails_is_raised_by_the_next_call(
    store: ObjectAddress, object_server: ObjectServer
) -> None:
    journal = open_objects(store / "journal", "sweep", patience=Patience(longest=0))
    object_server.fail("403")
    journal.append([record(0)])
    journal.begin_flush()
    with pytest.raises(JournalError, match="the credentials do not allow this"):
        journal.flush()
    object_server.fail()
    journal.close()


def test_an_answer_that_is_lost_adds_nothing_twice(home: Path, object_server: ObjectServer) -> None:
    object_server.fail("unanswered 1 .lease")
    journal = open_journal(home, "sweep")
    assert journal.epoch == 1
    for number in range(3):
        object_server.fail(f"unanswered {number % 2 + 1} .seg")
        journal.append([record(number)])
        journal.flush()
    object_server.fail()
    journal.close()
    assert numbers(home) == [0, 1, 2]


def test_many_small_objects_are_read_together(home: Path, store: ObjectAddress, object_server: ObjectServer) -> None:
    journal = open_journal(home, "sweep")
    for number in range(80):
        journal.append([record(number)])
        journal.flush()
    journal.close()
    before = len(object_server.asked())
    assert numbers(home) == list(range(80))
    # Each once, and the listings.
    assert len(object_server.asked()) - before <= 80 + 4


@pytest.mark.parametrize(
    ("damage", "match"),
    [(lambda data: b"x" + data[1:], "damaged"), (lambda data: None, "00000002-e0001.seg is missing")],
)
def test_a_damaged_middle_is_refused(
    home: Path, store: ObjectAddress, damage: Callable[[bytes], bytes | None], match: str
) -> None:
    journal = open_journal(home, "sweep")
    for number in range(3):
        journal.append([record(number)])
        journal.flush()
    journal.close()
    client, at = client_of(store.bucket), objects(store, "00000002-e0001.seg")[0]
    data = damage(client.read(at) or b"")
    client.delete([at])
    if data is not None:
        client.put(at, data)
    with pytest.raises(JournalError, match=match):
        numbers(home)


def test_a_home_that_cannot_be_used_says_why(home: Path, object_server: ObjectServer) -> None:
    assert problem_with_home(home) is None
    object_server.fail("403")
    assert "the credentials do not allow this" in str(problem_with_home(home))


def test_a_store_that_ignores_conditions_is_refused(home: Path, object_server: ObjectServer) -> None:
    object_server.fail("unconditional")
    with pytest.raises(JournalError, match="ignores the condition of a put"):
        open_journal(home, "sweep")


def test_sweeps_are_listed_and_what_is_not_there_is_named(home: Path) -> None:
    assert list(sweeps(home)) == []
    open_journal(home, "other").close()
    with pytest.raises(JournalError, match=r"no journal of sweep 'sweep' under s3://.*sweeps there: other"):
        read(home, "sweep")
    assert [entry.sweep for entry in sweeps(home)] == ["other"]
    assert list(sweeps(home, lambda sweep, _: sweep != "other")) == []


def test_a_driver_is_asked_to_stop_and_the_next_one_is_not(home: Path, store: ObjectAddress) -> None:
    journal = open_objects(store / "journal", "sweep", Pulse(every=0.05))
    assert not journal.asked_to_stop
    assert ask_to_stop(home, "sweep") is not None
    wait_until(lambda: journal.asked_to_stop, 30)
    journal.append([record(1)])
    journal.close()
    assert ask_to_stop(home, "sweep") is None, "nobody runs it"
    again = open_objects(store / "journal", "sweep", Pulse(every=0.05))
    wait_until(lambda: objects(store, "e0002.beat"), 30)
    assert not again.asked_to_stop, "it was the one before that was asked"
    again.close()
    with pytest.raises(JournalError, match="there is no journal of sweep 'other'"):
        ask_to_stop(home, "other")
