"""``sparkml-track job``: with tasks that are processes, and small ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables
from tests.calls import Call, caller

WORK = """\
import os, sys, time

def ok(text="done"):
    print(text)

def bad():
    raise ValueError("no good")

def unless(path):
    if not os.path.exists(path):
        sys.exit(7)

def slow(mark):
    open(mark, "w").close()
    time.sleep(600)
"""
FLOWS = """
from sparkml_track import pipelines as dp

@dp.materialized_view
def doubled():
    return dp.read("raw").selectExpr("2 * v AS v")
"""
CONF = """\
name: mine
code: [code]
sweep: {objective: "mytasks:ok", max_trials: 1, space: {x: {uniform: [0, 1]}}}
jobs:
  good:
    parameters: {word: hello}
    tasks:
      notebook: {notebook: code/note.py, arguments: ["--date={date}"]}
      call: {python: "mytasks:ok", options: {text: "{word}"}, needs: notebook}
  bad:
    max_parallel: 2
    tasks:
      first: {python: "mytasks:ok"}
      second: {python: "mytasks:unless", options: {path: there}, needs: first}
      third: {python: "mytasks:ok", needs: second}
  slow:
    tasks:
      wait: {python: "mytasks:slow", options: {mark: begun}}
      after: {python: "mytasks:ok", needs: wait}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one's own, where one is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mytasks.py").write_text(WORK)
    (tmp_path / "code" / "note.py").write_text("import sys, mytasks\nprint('note', *sys.argv[1:])\n")
    (tmp_path / "conf.yaml").write_text(CONF)
    return tmp_path


@pytest.fixture
def call(folder: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    return caller("job", capsys)


def last(call: Call) -> dict[str, object]:
    """The last run."""
    made = json.loads(call("runs", "--json", "--last", "1")[1])[0]
    assert isinstance(made, dict)
    return made


def test_a_run_of_a_job_does_its_tasks_and_shows_them(call: Call, folder: Path) -> None:
    code, out, err = call("run", "good", "-c", "conf.yaml", "-p", "word=howdy", "--date", "2013-11-01")
    assert (code, err) == (0, "")
    assert "2 tasks" in out.splitlines()[0]
    assert "notebook  python" not in out
    run = last(call)
    assert (run["state"], run["cause"], run["moment"]) == ("succeeded", "manual", "2013-11-01T00:00:00+00:00")
    tries = run["attempts"][0]["tries"]  # type: ignore[index]
    assert [Path(each["log"]).read_text() for each in tries] == ["note --date=2013-11-01\n", "howdy\n"]
    assert call("show", "good")[1] == out.partition("\n\n")[2]
    assert " good  manual  2013-11-01 00:00  succeeded  1 " in " " + call("runs")[1]


def test_a_task_that_fails_ends_the_command_with_1_and_shows_its_log(call: Call) -> None:
    code, out, _ = call("run", "bad", "-c", "conf.yaml")
    assert code == 1
    assert "second: exit 7; the end of " in out
    assert out.splitlines()[-1].startswith("go on with it: sparkml-track job repair bad-")
    assert last(call)["tasks"] == {"first": "succeeded", "second": "failed", "third": "upstream_failed"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "god", "-c", "conf.yaml"), "there is no job 'god' in conf.yaml; there are: good, bad, slow"),
        (("run", "good", "-c", "conf.yaml", "-p", "wort=x"), "job 'good' has no parameter 'wort'; it has: word"),
        (("run", "good", "-c", "conf.yaml", "-p", "word"), "-p 'word' is not name=value"),
        (("run", "good", "-c", "conf.yaml", "-p", "word=a", "-p", "word=b"), "-p word is given twice; give it once"),
        (("run", "good", "-c", "conf.yaml", "--date", "monday"), "--date 'monday' is not a date such as 2013-11-01"),
        (("show", "none"), "there is no run 'none' in "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(call: Call, folder: Path, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {said}")
    assert not (folder / "home").exists()


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("{sql: none.sql}", "tasks.a.sql: the query {folder}/none.sql cannot be read: No such file or directory"),
        ("{sql: none.txt}", "tasks.a.sql: {folder}/none.txt must be a file that ends with .sql"),
        ("{sql: drop.sql}", "tasks.a.sql: "),
        ("{sql: day.sql}", "tasks.a.sql: "),
        ("{alert: alerts/none.yaml}", "tasks.a.alert: there is no alert 'none' in {folder}/alerts; there are: none"),
        ("{notebook: none.py}", "tasks.a.notebook: {folder}/none.py cannot be read: No such file or directory"),
        ("{notebook: conf.yaml}", "tasks.a.notebook: {folder}/conf.yaml is not Python: "),
        ("{python: 'mytasks:okay'}", "tasks.a.python: 'mytasks:okay' cannot be found: module mytasks has no function"),
        ("{python: 'mytasks:ok', options: {test: 1}}", "tasks.a.python: mytasks:ok cannot be called with test: "),
        ("{pipeline: none.py}", "tasks.a.pipeline: "),
        ("{pipeline: flows.py}", "tasks.a.pipeline: flows.py:10: the table or view doubled is declared"),
        ("{run: sweep}", "sweep.objective: no such"),
    ],
)
def test_what_a_task_lacks_is_known_before_the_first(call: Call, folder: Path, task: str, said: str) -> None:
    (folder / "drop.sql").write_text("DROP TABLE x")
    (folder / "day.sql").write_text("SELECT $day AS day")
    (folder / "flows.py").write_text(FLOWS * 2)
    if "sweep" in task:
        (folder / "conf.yaml").write_text(
            CONF.replace("mytasks:ok", "mytasks:no", 1) + f"  j: {{tasks: {{a: {task}}}}}\n"
        )
        said = "sweep.objective: 'mytasks:no' cannot be found"
    else:
        (folder / "conf.yaml").write_text(CONF + f"  j: {{tasks: {{a: {task}}}}}\n")
    code, out, err = call("run", "j", "-c", "conf.yaml")
    assert (code, out) == (2, "")
    assert said.format(folder=folder) in err
    assert "Traceback" not in err
    assert not (folder / "home").exists()


def command(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command as a process of its own."""
    words = [sys.executable, "-m", "sparkml_track.cli", "job", *arguments]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def begun(folder: Path) -> None:
    """Waits until the slow task runs."""
    deadline = time.monotonic() + 120
    while not (folder / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (folder / "begun").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "state"), [(signal.SIGTERM, 143, "interrupted"), (signal.SIGKILL, -9, "lost")]
)
def test_a_run_that_is_ended_from_outside_is_recorded(
    call: Call, folder: Path, number: int, code: int, state: str
) -> None:
    process = command(folder, "run", "slow", "-c", "conf.yaml")
    begun(folder)
    os.kill(process.pid, number)
    process.communicate(timeout=120)
    assert process.returncode == code
    deadline = time.monotonic() + 120
    while last(call)["state"] == "running":  # its task is ending
        assert time.monotonic() < deadline
    assert last(call)["state"] == state
    assert last(call)["tasks"]["wait"] == "interrupted"  # type: ignore[index]


def test_a_pipe_that_nobody_reads_costs_messages_and_not_the_run(call: Call, folder: Path) -> None:
    process = command(folder, "run", "good", "-c", "conf.yaml")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(120) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert last(call)["state"] == "succeeded"


def test_closed_descriptors_cost_messages_and_not_the_run(call: Call, folder: Path) -> None:
    words = [sys.executable, "-m", "sparkml_track.cli", "job", "run", "good", "-c", "conf.yaml"]
    closed = ["bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash", *words]
    assert subprocess.run(closed, cwd=folder, timeout=120).returncode == 0
    assert last(call)["state"] == "succeeded"


@pytest.mark.slow
def test_a_run_is_repaired_and_dates_are_filled(call: Call, folder: Path) -> None:
    assert call("run", "bad", "-c", "conf.yaml")[0] == 1
    assert call("repair", "bad")[0] == 1
    (folder / "there").touch()
    code, out, _ = call("repair", "bad")
    assert code == 0
    assert "attempt 3: succeeded" in out
    code, _, err = call("repair", "bad")
    assert code == 2
    assert err.endswith("has nothing to repair: every task succeeded or was not needed; --again TASK does one again")
    dates = ("backfill", "good", "-c", "conf.yaml", "--from", "2013-11-01", "--to", "2013-11-02")
    code, out, _ = call(*dates)
    assert (code, out.splitlines()[-1]) == (0, "2 succeeded, 0 failed")
    assert call(*dates)[1].splitlines()[-1] == "0 succeeded, 0 failed, 2 had succeeded before"


TRIGGERED = """\
  arrived:
    triggers: {files: "in/*.csv", settle: 0.2}
    tasks:
      call: {python: "mytasks:ok"}
  often:
    schedule: "* * * * *"
    tasks:
      call: {python: "mytasks:ok"}
"""


@pytest.mark.slow
def test_the_scheduler_starts_what_a_file_says_and_there_is_one_of_it(
    folder: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in").mkdir()
    (folder / "conf.yaml").write_text(CONF + TRIGGERED)
    words = [sys.executable, "-m", "sparkml_track.cli", "scheduler", "conf.yaml", "--poll", "0.2"]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "arrived, often; Ctrl-C ends it" in process.stdout.readline()
        deadline = time.monotonic() + 120
        while not (folder / "home" / "jobs" / "scheduler.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        code, out, err = caller("scheduler", capsys)("conf.yaml")
        assert (code, out) == (1, "")
        assert f"is running already (pid {process.pid} on " in err
        (folder / "in" / "new.csv").write_text("1")
        for line in process.stdout:
            if "arrived: ended" in line:
                break
        runs = json.loads(call("runs", "--json", "--job", "arrived")[1])
        assert [(run["cause"], run["state"]) for run in runs] == [("file", "succeeded")]
    finally:
        process.terminate()
        process.communicate(timeout=120)
    assert process.returncode == 143


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("conf.yaml",), "error: no job of conf.yaml starts by itself; give one a schedule or triggers"),
        (("conf.yaml", "--print", "launchd"), "error: --print must be one of systemd, cron, not 'launchd'"),
        (("none.yaml",), "error: none.yaml: there is no such file"),
    ],
)
def test_a_scheduler_without_work_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = caller("scheduler", capsys)(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(said)
    assert not (folder / "home").exists()


@pytest.mark.spark
def test_pipelines_are_tasks_and_read_what_tasks_before_them_made(folder: Path, call: Call) -> None:
    (folder / "flows.py").write_text(FLOWS)
    (folder / "code" / "myload.py").write_text(
        "def load():\n    import pyarrow as pa\n    from sparkml_track.home import Home\n"
        "    from sparkml_track.tables import DeltaTables\n"
        "    DeltaTables(Home.find().tables).write('raw', pa.table({'v': [1, 2]}))\n"
    )
    tasks = '{load: {python: "myload:load"}, flows: {pipeline: flows.py, needs: load}}'
    (folder / "conf.yaml").write_text(CONF + f"  lake: {{tasks: {tasks}}}\n")
    code, out, err = call("run", "lake", "-c", "conf.yaml")
    assert code == 0, out + err
    assert sorted(DeltaTables(Home.find().tables).to_arrow("doubled")["v"].to_pylist()) == [2, 4]


@pytest.mark.slow
def test_queries_and_alerts_are_tasks_in_folders_with_blanks_too(folder: Path, call: Call) -> None:
    place = folder / "my project"
    for name, text in {
        "conf/conf.yaml": CONF.replace("[code]", "[../../code]") + "  lake:\n"
        "    parameters: {least: 3}\n"
        "    tasks:\n"
        '      late: {sql: ../queries/late.sql, params: {day: "{date}", least: "{least}"}, save: air.late}\n'
        "      watch: {alert: ../alerts/late.yaml, needs: late}\n",
        "queries/late.sql": "-- params: day date, least long\nSELECT $day AS day, $least AS least\n",
        "alerts/late.yaml": "query: SELECT least FROM air.late\nwhen: least > 2\n",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    code, out, _ = call("run", "lake", "-c", str(place / "conf" / "conf.yaml"), "--date", "2013-11-01")
    assert code == 0, out
    tries = last(call)["attempts"][0]["tries"]  # type: ignore[index]
    assert "saved as air.late@0" in Path(tries[0]["log"]).read_text()
    assert Path(tries[1]["log"]).read_text() == "late: triggered: least > 2, value 3\n"
