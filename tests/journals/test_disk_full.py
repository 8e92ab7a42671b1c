"""Fault 41: the disk is full. What was acknowledged is kept, and the sweep goes on once there is room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml_track.journals import open_journal, read
from tests.journals.conftest import Driver

WRITER = """
import json, resource, sys
from pathlib import Path
from sparkml_track.errors import JournalError
from sparkml_track.journals import Record, open_journal, read

def fill(home):
    "Writes until it is refused; what was acknowledged, and why it stopped."
    acknowledged, number = [], 0
    try:
        journal = open_journal(home, "sweep")
        while True:
            group = list(range(number, number + 7))
            journal.append([Record("accepted", {"number": n, "text": "x" * 300}) for n in group])
            journal.flush()
            acknowledged, number = acknowledged + group, number + 7
    except JournalError as error:
        try:
            journal.append([Record("accepted", {"number": -1})])
        except JournalError as again:
            assert str(again) == str(error)
        journal.close()
        return acknowledged, str(error)

def stored(home):
    return [record.body["number"] for record in read(home, "sweep")]

home = Path(sys.argv[1])
"""

LIMITED = (
    WRITER
    + """
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
print(json.dumps(fill(home)))
"""
)

SMALL_DISK = (
    WRITER
    + """
ballast = home / "ballast"
ballast.write_bytes(bytes(1_000_000))
acknowledged, message = fill(home)
full = stored(home)
try:
    open_journal(home, "sweep")
    refused = ""
except JournalError as error:
    refused = str(error)
ballast.unlink()
journal = open_journal(home, "sweep")
journal.append([Record("accepted", {"number": -2})])
journal.close()
print(json.dumps([acknowledged, message, full, refused, journal.epoch, stored(home)]))
"""
)


def answer(process: subprocess.Popen[str]) -> list:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return json.loads(output)


def is_kept(stored: list[object], acknowledged: list[int]) -> bool:
    """All that was acknowledged, in order; then at most records of the group that was refused."""
    return stored == list(range(len(stored))) and len(acknowledged) <= len(stored) < len(acknowledged) + 7


def test_at_the_limit_of_a_file_acknowledged_records_are_kept(home: Path, driver: Driver) -> None:
    acknowledged, message = answer(driver(LIMITED, home))
    assert "cannot write to" in message
    assert "File too large. Results acknowledged before are kept." in message
    assert len(acknowledged) > 400
    journal = open_journal(home, "sweep")
    found = [record.body["number"] for record in journal.replay()]
    assert is_kept(found, acknowledged)
    journal.close()
    assert [record.body["number"] for record in read(home, "sweep")] == found


def small_disk_problem() -> str | None:
    """Why a small disk cannot be mounted here, in a mount namespace that goes away with its process."""
    if not shutil.which("unshare") or os.geteuid():
        return "mounting a small disk needs root and unshare"
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", "/mnt"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr.strip() or None


def test_on_a_full_disk_acknowledged_records_are_kept_and_room_lets_it_go_on(tmp_path: Path, root: Path) -> None:
    problem = small_disk_problem()
    if problem:
        pytest.skip(f"NOT TESTED on a real full disk: {problem}")
    mount = 'mount -t tmpfs -o size=3m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, SMALL_DISK]
    pipe = subprocess.PIPE
    found = answer(subprocess.Popen(command, cwd=root, stdout=pipe, stderr=pipe, text=True))
    acknowledged, message, full, refused, epoch, after = found
    assert "No space left on device. Results acknowledged before are kept." in message
    assert len(acknowledged) > 4000
    assert is_kept(full, acknowledged)
    assert "cannot take the lease in" in refused
    assert "No space left on device" in refused
    assert (epoch, after) == (2, [*full, -2])
