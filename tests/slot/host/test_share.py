"""When a sweep's folder on a host goes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sparkml_track.slot.host.share import Share, remove_left
from sparkml_track.slot.wire.frames import Address

OLD = time.time() - 2 * 86_400


@contextmanager
def another(folder: Path, *, home: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a share in the folder."""
    code = "import sys; from sparkml_track.slot.host.share import Share; share = Share(sys.argv[1]); "
    code += "share.over() if sys.argv[2] else None; print(1, flush=True); input()"
    args = [sys.executable, "-c", code, str(folder), "home" if home else ""]
    process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def left_by_a_killed_process(folder: Path, *, home: bool) -> None:
    with another(folder, home=home):
        (folder / "blobs" / "big").write_bytes(b"x" * 1000)


def test_the_last_share_of_a_sweep_that_is_over_takes_the_folder_with_it(tmp_path: Path) -> None:
    first, second = Share(str(tmp_path / "sweep")), Share(str(tmp_path / "sweep"))
    first.over()
    first.close()
    assert (tmp_path / "sweep" / "blobs").is_dir()
    second.close()
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_workers_that_may_come_back_find_what_was_there(tmp_path: Path) -> None:
    share = Share(str(tmp_path / "sweep"))
    (tmp_path / "sweep" / "blobs" / "digest").write_text("data")
    share.close()
    share = Share(str(tmp_path / "sweep"))
    assert (tmp_path / "sweep" / "blobs" / "digest").read_text() == "data"
    share.close()


@pytest.mark.parametrize(("checkpoints", "left"), [(False, []), (True, ["checkpoints"])])
def test_the_last_single_task_leaves_checkpoints_alone(tmp_path: Path, checkpoints: bool, left: list[str]) -> None:
    first, last = (Share(str(tmp_path / "sweep"), single=True) for _ in range(2))
    if checkpoints:
        (tmp_path / "sweep" / "checkpoints").mkdir()
    first.close()
    assert (tmp_path / "sweep" / "blobs").exists()
    last.close()
    assert [path.name for path in tmp_path.glob("sweep/*")] == left
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"] * bool(left)
    Share(str(tmp_path / "sweep"), single=True).close()


def test_the_driver_removes_its_folder_whoever_is_there(tmp_path: Path) -> None:
    driver, worker = Share(str(tmp_path / "sweep")), Share(str(tmp_path / "sweep"))
    driver.remove()
    assert list(tmp_path.iterdir()) == []
    # A worker of the next sweep of that name, if there were one, is not disturbed by the last one of this.
    other = Share(str(tmp_path / "sweep"))
    other.over()
    worker.close()
    assert (tmp_path / "sweep").exists()
    other.close()
    driver.remove()


def test_what_a_killed_driver_left_goes_at_once_with_what_was_half_removed(tmp_path: Path) -> None:
    left_by_a_killed_process(tmp_path / "crashed", home=True)
    (tmp_path / "gone-0123" / "blobs").mkdir(parents=True)
    remove_left(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@contextmanager
def a_driver() -> Iterator[Address]:
    """One that greets whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as peer:
                        peer.sendall(b"hello")

        threading.Thread(target=greet, daemon=True).start()
        yield ("tcp", "127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def test_the_last_share_takes_the_folder_of_a_driver_that_nobody_hears_of_any_more(tmp_path: Path) -> None:
    with a_driver() as address:
        share = Share(str(tmp_path / "sweep"))
        share.belongs_to(address)
        share.close()
        remove_left(str(tmp_path))
        assert (tmp_path / "sweep" / "blobs").is_dir()
        share = Share(str(tmp_path / "sweep"))
    share.close()
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_has_no_time_to_answer_is_not_taken_for_dead(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        share = Share(str(tmp_path / "sweep"))
        share.belongs_to(("tcp", "127.0.0.1", listener.getsockname()[1]))
        share.close()
        assert (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    "said", ["", "[]", "7", '["tcp"]', '["tcp", "127.0.0.1", 70000]', '["tcp", 1, 2]', '["unix", 5]']
)
def test_an_address_that_is_none_leaves_the_folder_to_its_age(tmp_path: Path, said: str) -> None:
    Share(str(tmp_path / "sweep")).close()
    (tmp_path / "sweep" / "driver").write_text(said)
    Share(str(tmp_path / "sweep")).close()
    remove_left(str(tmp_path))
    assert (tmp_path / "sweep").exists()
    os.utime(tmp_path / "sweep", (OLD, OLD))
    remove_left(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_killed_workers_of_a_driver_that_ended_left_goes_with_the_next_sweep(tmp_path: Path) -> None:
    with a_driver() as address:
        Share(str(tmp_path / "crashed")).belongs_to(address)
        remove_left(str(tmp_path))
        assert (tmp_path / "crashed").exists()
    remove_left(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_in_use_and_recent_ones_of_other_drivers_stay(tmp_path: Path) -> None:
    for name in ("recent", "old"):
        left_by_a_killed_process(tmp_path / name, home=False)
    (tmp_path / "slot-code.zip").write_text("")
    with another(tmp_path / "driver", home=True), another(tmp_path / "worker"):
        for name in ("old", "driver", "worker"):
            os.utime(tmp_path / name, (OLD, OLD))
        remove_left(str(tmp_path))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["driver", "recent", "slot-code.zip", "worker"]


def test_a_share_ends_with_its_process_and_an_inherited_one_with_the_heir(tmp_path: Path) -> None:
    folder = str(tmp_path / "sweep")
    given = Share(folder)
    given.over()
    heir = subprocess.Popen(["sleep", "60"], pass_fds=[given.fileno()])
    given.hand_over()
    try:
        Share(folder).close()
        assert os.path.exists(folder)
    finally:
        heir.kill()
        heir.wait()
    Share(folder).close()
    assert not os.path.exists(folder)


CROWD = """
import os, random, sys, time
from sparkml_track.slot.host.share import Share, remove_left
user, seed = sys.argv[1], int(sys.argv[2])
rng = random.Random(seed)
until = time.monotonic() + 1.0
turns = 0
while time.monotonic() < until:
    folder = os.path.join(user, str(rng.randrange(2)))
    share = Share(folder, single=rng.random() < 0.5)
    mine = os.path.join(folder, "blobs", f"{seed}-{turns}")
    with open(mine, "w") as file:
        file.write("x")
    if rng.random() < 0.5:
        share.over()
    if rng.random() < 0.2:
        remove_left(user)
    assert os.path.exists(mine), "the folder went while there was a share in it"
    if rng.random() < 0.1:
        os.close(share.fileno())  # as when killed
        share._fd = -1
    share.close()
    turns += 1
print(turns)
"""


def test_nobody_loses_a_folder_in_a_crowd_that_comes_and_goes(tmp_path: Path) -> None:
    crowd = [
        subprocess.Popen([sys.executable, "-c", CROWD, str(tmp_path), str(seed)], stdout=subprocess.PIPE, text=True)
        for seed in range(6)
    ]
    turns = [int(process.communicate(timeout=60)[0] or 0) for process in crowd]
    assert [process.returncode for process in crowd] == [0] * 6
    assert all(turns)
    remove_left(str(tmp_path))
    assert not list(tmp_path.glob("gone-*"))
