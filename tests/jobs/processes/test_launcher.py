"""Tasks as processes. Waits are bounded by what happens, not by a clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.errors import SetupError
from sparkml_track.jobs.processes.launcher import Launch, Processes

LONG = "import time; time.sleep(600)"


def python(code: str, log: Path) -> Launch:
    return Launch([sys.executable, "-S", "-c", code], dict(os.environ), log)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes(grace=60, linger=0.2)
    yield made
    for name in ("a", "b"):
        made.kill(name)


def appears(log: Path, word: str) -> None:
    """Waits until a task has printed something."""
    deadline = time.monotonic() + 60
    while word not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone(pid: int) -> None:
    """Waits until a process has ended."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_task_prints_into_its_log_and_its_exit_code_is_told(processes: Processes, log: Path) -> None:
    processes.start("a", python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", log))
    assert processes.wait(60) == {"a": 3}
    assert sorted(log.read_text().split()) == ["err", "out"]


def test_a_program_that_is_not_there_is_127(processes: Processes, log: Path) -> None:
    processes.start("a", Launch(["/none/such"], dict(os.environ), log))
    assert processes.wait(60) == {"a": 127}
    assert "/none/such cannot be started: No such file" in log.read_text()


def test_a_log_that_cannot_be_written_is_said(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="task 'a' cannot be started: No such file"):
        processes.start("a", python("", tmp_path / "none" / "a.log"))


def test_several_run_at_one_time_and_a_wait_has_a_bound(processes: Processes, log: Path) -> None:
    processes.start("a", python(LONG, log))
    processes.start("b", python("", log))
    assert processes.wait(60) == {"b": 0}
    assert processes.wait(0.01) == {}
    processes.kill("a")
    assert processes.wait(60) == {"a": -signal.SIGKILL}


def test_the_end_of_a_task_is_the_end_of_its_group(log: Path) -> None:
    processes = Processes(grace=0.2, linger=0.2)
    stubborn = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork()"
    processes.start("a", python(f"{stubborn}; print(os.getpid(), flush=True); time.sleep(600)", log))
    deadline = time.monotonic() + 60
    while not log.exists() or len(log.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    processes.end("a")
    assert processes.wait(60) == {"a": -signal.SIGKILL}
    for pid in log.read_text().split():
        gone(int(pid))


def test_a_task_has_its_grace(processes: Processes, log: Path) -> None:
    tidy = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); print('on', flush=True)"
    processes.start("a", python(f"{tidy}; time.sleep(600)", log))
    appears(log, "on")
    processes.end("a")
    assert processes.wait(60) == {"a": 9}


def test_what_a_task_leaves_in_its_group_goes_with_it(processes: Processes, log: Path) -> None:
    left = "import os, time; pid = os.fork(); print(pid, flush=True) if pid else time.sleep(600)"
    processes.start("a", python(left, log))
    assert processes.wait(60) == {"a": 0}
    gone(int(log.read_text()))


def test_what_a_task_started_has_a_moment_to_end_by_itself(tmp_path: Path, log: Path) -> None:
    processes = Processes(linger=60)
    late = "import os, sys, time; pid = os.fork(); sys.exit() if pid else time.sleep(0.3); print('tidy', flush=True)"
    processes.start("a", python(late, log))
    assert processes.wait(60) == {"a": 0}
    assert log.read_text() == "tidy\n"


def test_what_a_task_works_with_does_not_end_before_it(log: Path) -> None:
    processes = Processes(grace=60, linger=0.2)
    # As a JVM beside a driver: it ends on SIGTERM, and the driver needs it to tidy up.
    code = (
        "import os, signal, sys, time; pid = os.fork()\n"
        "if pid == 0: time.sleep(600)\n"
        "def tidy(*_):\n"
        "    time.sleep(0.1); gone, _ = os.waitpid(pid, os.WNOHANG); print('gone' if gone else 'there'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, tidy); print('on', flush=True); time.sleep(600)"
    )
    processes.start("a", python(code, log))
    appears(log, "on")
    processes.end("a")
    assert processes.wait(60) == {"a": 0}
    assert log.read_text().endswith("there\n")


def test_a_task_ends_when_its_run_is_killed(tmp_path: Path, log: Path) -> None:
    run = (
        "import os, sys, time; from pathlib import Path; from sparkml_track.jobs.processes.launcher import *;"
        "lock = os.open(sys.argv[2], os.O_CREAT | os.O_RDWR); import fcntl; fcntl.flock(lock, fcntl.LOCK_EX);"
        "made = Processes(lock, grace=60); code = 'import os, time; print(os.getpid(), flush=True); time.sleep(600)';"
        "made.start('a', Launch([sys.executable, '-S', '-c', code], dict(os.environ), Path(sys.argv[1])));"
        "made.wait(None)"
    )
    lock = tmp_path / "lock"
    process = subprocess.Popen([sys.executable, "-c", run, str(log), str(lock)])
    appears(log, "\n")
    process.kill()
    process.wait()
    # The lock is free when the last process of the task is gone.
    subprocess.run(["flock", str(lock), "true"], check=True, timeout=60)
    gone(int(log.read_text()))
