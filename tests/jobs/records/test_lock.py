from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml_track.errors import JobRunning, SetupError
from sparkml_track.home import Home
from sparkml_track.jobs.records.lock import holder, job_lock


def test_one_run_of_a_job_at_a_time(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert holder(home, "p", "j") is None
    with job_lock(home, "p", "j") as lock:
        lock.name("r1")
        found = holder(home, "p", "j")
        assert found is not None
        assert (found.run, found.pid, found.dead) == ("r1", os.getpid(), False)
        said = rf"job 'j' is running \(run r1, pid {os.getpid()} on .*one run at a time"
        with pytest.raises(JobRunning, match=said), job_lock(home, "p", "j"):
            pass
        with job_lock(home, "p", "other"):
            pass
    assert holder(home, "p", "j") is None
    with job_lock(home, "p", "j"):
        pass


def test_tasks_of_a_dead_run_keep_its_lock(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; from pathlib import Path; from sparkml_track.home import Home;"
        "from sparkml_track.jobs.records.lock import job_lock\n"
        "with job_lock(Home(Path(sys.argv[1])), 'p', 'j') as lock:\n"
        "    lock.name('r1'); task = subprocess.Popen(['sleep', '600'], pass_fds=(lock.descriptor,), stdout=-3)\n"
        "    print(task.pid); sys.stdout.flush(); import os; os._exit(1)"
    )
    task = int(subprocess.run([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True).stdout)
    home = Home(tmp_path)
    try:
        found = holder(home, "p", "j")
        assert found is not None
        assert found.dead
        with pytest.raises(JobRunning, match="whose process died, are still ending"), job_lock(home, "p", "j"):
            pass
    finally:
        os.kill(task, 9)
    with job_lock(home, "p", "j", patience=60.0):
        assert True


def test_another_process_with_the_pid_of_a_dead_one_is_another(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with job_lock(home, "p", "j") as lock:
        lock.name("r1")
        path = home.jobs / "p.j.lock"
        found = holder(home, "p", "j")
        assert found is not None
        path.write_text(path.read_text().replace(f'"start": "{found.start}"', '"start": "1"'))
        found = holder(home, "p", "j")
        assert found is not None
        assert found.dead


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot be opened"), job_lock(Home(tmp_path / "file"), "p", "j"):
        pass


def test_rubbish_in_the_file_is_nobodys_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with job_lock(home, "p", "j"):
        for text in ("", "{", "[]", '{"run": 1}'):
            (home.jobs / "p.j.lock").write_text(text)
            found = holder(home, "p", "j")
            assert found is not None
            assert found.run == ""
