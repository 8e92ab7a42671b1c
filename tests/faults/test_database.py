"""Faults 36 and 38 to 43: the tracking database, the disk of the journal, the artifact root."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import JournalError, TrackingSchemaError, TrackingUnavailable
from sparkml_track.journals import Record, open_journal, read
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.trackers import ChildRun, ParentRun, default_uri, open_tracker
from sparkml_track.trackers._mlflow.lanes.client import ClientLane
from sparkml_track.trackers._mlflow.tracker import MlflowTracker
from sparkml_track.trial import State
from tests.faults.driver import Drivers
from tests.faults.here import Moments, slow_square, square, sweep

pytestmark = pytest.mark.slow


def only_sweep(home: Path) -> str:
    (found,) = (path.name for path in (home / "journal").iterdir() if path.is_dir())
    return found


class Lock:
    """Holds the whole database."""

    def __init__(self, home: Path) -> None:
        self._db = sqlite3.connect(home / "mlflow.db", isolation_level=None, check_same_thread=False, timeout=30)

    def take(self) -> None:
        self._db.execute("BEGIN EXCLUSIVE")

    def release(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        self.release()
        self._db.close()


@pytest.fixture
def lock(home: Path) -> Iterator[Lock]:
    with closing(Lock(home)) as lock:
        yield lock


def test_a_locked_database_is_waited_for_while_trials_go_on(home: Path, lock: Lock) -> None:
    moments = Moments().at("received", 2, lock.take).at("received", 9, lock.release)
    result = sweep(home, moments, objective=slow_square, max_trials=10)
    assert assert_accounting(home, result.sweep)["finished"] == 10


def test_a_database_that_stays_locked_is_a_clear_error_and_results_are_kept(home: Path, lock: Lock) -> None:
    moments = Moments().at("received", 2, lock.take)
    with pytest.raises(TrackingUnavailable, match=r"could not be published.*locked.*verify --repair"):
        sweep(home, moments, longest_wait=1.0, max_trials=10, objective=slow_square)
    lock.release()
    name = only_sweep(home)
    assert sum(record.kind == "accepted" for record in read(home, name)) == 10
    after = Moments()
    assert sweep(home, after, max_trials=10, objective=slow_square).sweep == name
    assert not after.seen["accepted"], "everything was there already"
    assert assert_accounting(home, name)["finished"] == 10


def test_a_database_of_another_schema_is_refused_with_the_command_before_any_trial(home: Path) -> None:
    with closing(sqlite3.connect(home / "mlflow.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = 'a5b4c3d2e1f0'")
    moments = Moments()
    with pytest.raises(TrackingSchemaError, match="mlflow db upgrade sqlite:"):
        sweep(home, moments)
    assert not moments.seen["asked"]


def test_more_than_a_thousand_children_are_read_to_the_last(home: Path) -> None:
    children = [ChildRun(number, {"x": number}, State.FINISHED, {"loss": 1.0}) for number in range(1100)]
    with closing(open_tracker(None, home)) as bulk:
        run_id, _ = bulk.start(ParentRun("big", "big", "big"))
        bulk.publish(run_id, children)
    # The client pages by 1,000, as it does before a server.
    with closing(MlflowTracker(ClientLane(default_uri(home)))) as client:
        assert {child.number for child in client.children(run_id)} == set(range(1100))
        assert client.reconcile(run_id) == 0
        ids = client.publish(run_id, children[-1:])
        assert len(ids) == 1 and len(list(client.children(run_id))) == 1100


def test_a_sweep_of_more_than_a_thousand_trials_adds_up(home: Path) -> None:
    result = sweep(home, max_trials=1200)
    assert assert_accounting(home, result.sweep)["finished"] == 1200
    assert verify(result.sweep, home=home).differences == []


def test_two_drivers_that_make_one_experiment_both_go_on(home: Path) -> None:
    errors: list[BaseException] = []

    def run(name: str) -> None:
        try:
            sweep(home, name=name, experiment="shared", max_trials=4)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(f"racer-{i}",)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = [e for e in MlflowClient(default_uri(home)).search_experiments() if e.name == "shared"]
    assert len(found) == 1
    for folder in (home / "journal").iterdir():
        assert assert_accounting(home, folder.name)["finished"] == 4


# -- disks


@pytest.fixture
def mounted() -> Iterator[Callable[..., None]]:
    """Mounts, for as long as a test takes."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("NOT TESTED on a real disk: mounting needs root")
    places: list[str] = []

    def mount(*arguments: str) -> None:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"NOT TESTED on a real disk: {done.stderr.strip()}")
        places.append(arguments[-1])

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_stops_the_sweep_and_room_lets_it_go_on(home: Path, mounted: Callable[..., None]) -> None:
    journal = home / "journal"
    journal.mkdir()
    mounted("-t", "tmpfs", "-o", "size=200k", "tmpfs", str(journal))
    ballast = journal / ".ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1000))
            except OSError:
                return

    moments = Moments().at("received", 30, fill)
    with pytest.raises(JournalError, match=r"No space left on device. Results acknowledged before are kept"):
        sweep(home, moments, max_trials=200)
    name = only_sweep(home)
    kept = [record.body["n"] for record in read(home, name) if record.kind == "accepted"]
    assert len(kept) >= 1
    ballast.unlink()
    after = Moments()
    assert sweep(home, after, max_trials=200).sweep == name
    assert after.seen["accepted"] == 200 - len(kept)
    assert assert_accounting(home, name)["finished"] == 200


def test_a_read_only_artifact_root_costs_the_files_and_not_the_metrics(
    home: Path, mounted: Callable[..., None]
) -> None:
    artifacts = home / "artifacts"
    artifacts.mkdir()
    mounted("--bind", str(artifacts), str(artifacts))
    subprocess.run(["mount", "-o", "remount,ro,bind", str(artifacts)], check=True)

    def printing(trial: object) -> float:
        print("a line for the log")
        return square(trial)

    result = sweep(home, objective=printing, max_trials=4, executor="processes")
    assert assert_accounting(home, result.sweep)["finished"] == 4
    client = MlflowClient(default_uri(home))
    runs = client.search_runs([result.experiment_id], f"tags.`mlflow.parentRunId` = '{result.run_id}'")
    assert all("Read-only file system" in run.data.tags["sparkml.artifacts"] for run in runs)
    assert "Read-only file system" in client.get_run(result.run_id).data.tags["sparkml.artifacts"]
    assert verify(result.sweep, home=home).clean


# -- journals that are not whole


def test_a_journal_that_was_cut_goes_on_with_what_is_left(drivers: Drivers) -> None:
    assert drivers.drive(crash=("received", 12))["status"] == -9
    (name,) = drivers.sweeps()
    segment = max((drivers.home / "journal" / name).glob("*.seg"))
    whole = segment.read_bytes()
    segment.write_bytes(whole[: len(whole) * 2 // 3] + b"\0garbage")
    assert drivers.drive()["status"] == 0
    assert assert_accounting(drivers.home, name)["finished"] >= 18


def test_a_plan_that_is_not_ours_to_read_is_passed_over_and_refused_by_name(home: Path) -> None:
    with closing(open_journal(home, "faults-20200101-000000-abcd")) as journal:
        journal.append([Record("plan", {"name": "faults", "trials": 3})])
    moments = Moments()
    result = sweep(home, moments, max_trials=3)
    assert result.sweep != "faults-20200101-000000-abcd"
    with pytest.raises(Exception, match=r"a record of kind 'plan' is not as this release writes it \(\w+ is missing"):
        sweep(home, max_trials=3, resume="faults-20200101-000000-abcd")


def test_durations_do_not_follow_a_clock_that_jumps(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])

    def jump() -> None:
        offset[0] = -86_400.0

    moments = Moments().at("received", 2, jump).at("received", 5, lambda: offset.__setitem__(0, 86_400.0))
    result = sweep(home, moments, objective=slow_square, max_trials=8, tracking=Tracking())
    assert all(0.1 <= trial.duration < 5 for trial in result.trials), [trial.duration for trial in result.trials]
    assert assert_accounting(home, result.sweep)["finished"] == 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE runs SET status = 'RUNNING' WHERE run_uuid = :child", "status is 'RUNNING', the journal says"),
        ("UPDATE runs SET status = 'FAILED' WHERE run_uuid = :child", "status is 'FAILED', the journal says"),
        ("UPDATE latest_metrics SET value = 99 WHERE key = 'best_loss'", "parent: best_loss is 99.0, recomputed"),
        ("UPDATE latest_metrics SET value = 99 WHERE key = 'loss_mean'", "parent: loss_mean is 99.0, recomputed"),
    ],
)
def test_what_somebody_changed_in_the_store_is_found(home: Path, change: str, said: str) -> None:
    result = sweep(home, max_trials=3)
    assert verify(result.sweep, home=home).clean
    with closing(sqlite3.connect(home / "mlflow.db")) as database, database:
        query = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' LIMIT 1"
        child = database.execute(query).fetchone()[0]
        database.execute(change, {"child": child} if ":child" in change else {})
    found = verify(result.sweep, home=home).differences
    assert any(said in line for line in found), found
    with pytest.raises((AssertionError, KeyError)):
        assert_accounting(home, result.sweep)
