"""The command line: exit codes, one message for each error, nothing heavy before a command begins."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.sync.client import connect

import sparkml_track as st
from sparkml_track.cli import server
from sparkml_track.cli.app import main
from sparkml_track.cli.steps.command import STEPS
from sparkml_track.config.settings import Settings
from sparkml_track.errors import DataError

WORK = """\
def tables(spark): ...
def build(spark): ...
def train(trial): return 0.5
def nothing(): ...
raised = None
"""

CONF = """\
name: mine
home: state
code: [code]
prepare: {tables: mywork:tables}
sweep:
  objective: mywork:train
  sampler: random
  max_trials: 3
  space: {x: {uniform: [0, 1]}}
"""

Ran = list[tuple[str, Settings]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A project of one's own."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mywork.py").write_text(WORK)
    path = tmp_path / "conf.yaml"
    path.write_text(CONF)
    return path


Step = Callable[[str, Settings], dict[str, object]]


@pytest.fixture
def assembled(monkeypatch: pytest.MonkeyPatch) -> Callable[[Step], None]:
    """Puts a function in the place of the real steps."""

    def put(run_step: Step) -> None:
        def outcome(step: str, settings: Settings) -> SimpleNamespace:
            facts = run_step(step, settings)
            return SimpleNamespace(facts=lambda: facts)

        monkeypatch.setattr("sparkml_track.pipeline.steps.run_step", outcome)

    return put


@pytest.fixture
def ran(assembled: Callable[[Step], None]) -> Ran:
    """The steps that a command asked for."""
    asked: Ran = []

    def run_step(step: str, settings: Settings) -> dict[str, object]:
        asked.append((step, settings))
        return {"said": step, "table": {"candidate": {"log_loss": 0.25}, "base rate": {"log_loss": 0.5, "auc": 1}}}

    assembled(run_step)
    return asked


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process: exit code, stdout, stderr."""
    before, path = signal.getsignal(signal.SIGTERM), list(sys.path)

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            with pytest.raises(SystemExit) as caught:
                main([str(argument) for argument in arguments])
        finally:
            signal.signal(signal.SIGTERM, before)
            sys.path[:] = path
            sys.modules.pop("mywork", None)
        out = capsys.readouterr()
        return int(caught.value.code or 0), out.out, " ".join(out.err.split())

    return run


Call = Callable[..., tuple[int, str, str]]


def test_run_takes_the_steps_that_have_a_section_in_order(config: Path, ran: Ran, call: Call) -> None:
    code, out, err = call("run", config)
    assert (code, err) == (0, "")
    assert [step for step, _ in ran] == ["prepare", "sweep"]
    assert "==> sweep (2 of 2)" in out


@pytest.mark.parametrize(("to", "last"), [("table", ["deploy"]), ("endpoint", ["deploy", "score"])])
def test_run_scores_a_table_once(config: Path, ran: Ran, call: Call, to: str, last: list[str]) -> None:
    period = "{start: 2013-01-01, end: 2013-01-02}"
    later = [period.replace("-01-", f"-0{month}-") for month in (1, 2, 3)]
    splits = ", ".join(f"{name}: {each}" for name, each in zip(("train", "valid", "test"), later, strict=True))
    functions = ("refit", "baselines", "inputs", "evaluate")
    more = "\n".join(
        [
            f"features: {{build: mywork:build, label: y, time: t, split: {{{splits}}}}}",
            f"register: {{model: m, {', '.join(f'{name}: mywork:nothing' for name in functions)}}}",
            f"deploy: {{to: {to}}}\nscore: {{}}\n",
        ]
    )
    config.write_text(CONF + more)
    assert call("run", config)[0] == 0
    steps = [step for step, _ in ran]
    assert steps == ["prepare", "features", "sweep", "register", *last]
    for step in steps:
        code, out, err = call(step, "--config", config, "--json")
        assert (code, [json.loads(line)["event"] for line in out.splitlines()], err) == (0, ["step", "facts"], "")
        assert call(step, "--config", config, "--quiet") == (0, "", "")


def test_run_ends_with_what_the_steps_gave_and_how_to_open_the_ui(config: Path, ran: Ran, call: Call) -> None:
    _, out, _ = call("run", config)
    summary = out[out.index("mine: summary") :]
    assert re.search(r"candidate\s.*0\.25", summary)
    assert re.search(r"base rate\s.*0\.5\s.*1", summary)
    assert "sparkml-track ui --config" in summary
    assert str(config.parent / "state") in summary


def test_each_step_is_a_command(config: Path, ran: Ran, call: Call) -> None:
    assert call("sweep", "--config", config)[0] == 0
    assert [step for step, _ in ran] == ["sweep"]
    assert ran[0][1].name == "mine"


def test_a_step_without_a_section_is_wrong_input(config: Path, ran: Ran, call: Call) -> None:
    code, _, err = call("monitor", "--config", config)
    assert code == 2
    assert err == f"error: {config}: there is no section 'monitor', so there is nothing to monitor; add one"
    assert ran == []


def test_a_wrong_config_exits_2_with_every_problem_and_starts_nothing(config: Path, ran: Ran, call: Call) -> None:
    config.write_text(CONF.replace("max_trials: 3", "max_trials: 0") + "monitr: {}\n")
    code, _, err = call("run", config)
    assert code == 2
    assert "2 problems:" in err
    assert f"{config}:8: sweep.max_trials: must be at least 1, not 0" in err
    assert f"{config}:10: monitr: unknown key" in err
    assert "Traceback" not in err
    assert ran == []
    assert not (config.parent / "state").exists()


@pytest.mark.parametrize(
    ("was", "now", "line", "words"),
    [
        ("mywork:train", "mywork:trian", 6, "has no function 'trian'; did you mean 'train'?"),
        ("mywork:train", "nowhere.work:train", 6, "no module 'nowhere'"),
        ("mywork:train", "mywork:nothing", 6, "cannot be called with one argument"),
        ("mywork:tables", "mywork:tabels", 4, "has no function 'tabels'"),
        ("sampler: random", "sampler: {random: {speed: 3}}", 7, "option 'speed' of sampler 'random' is unknown"),
        ("sampler: random", "pruner: {asha: {reduction: 0}}", 7, "reduction"),
        ("sampler: random", "deterministic: true\n  pruner: median", 5, "exclude each other"),
        ("sampler: random", "metric: [a, b]\n  sampler: tpe", 8, "takes one metric, not 2"),
        ("max_trials: 3", "max_trials: 3\n  metric: [a, b]\n  target: 1.0", 5, "target and patience take one metric"),
    ],
)
def test_what_a_config_names_is_checked_before_the_first_step(
    was: str, now: str, line: int, words: str, config: Path, ran: Ran, call: Call
) -> None:
    config.write_text(CONF.replace(was, now))
    code, _, err = call("run", config)
    assert (code, ran) == (2, [])
    assert not (config.parent / "state").exists()
    assert f"{config}:{line}: " in err
    assert words in err
    assert "Traceback" not in err


def test_an_error_of_the_package_is_one_message_with_its_exit_code(
    config: Path, call: Call, assembled: Callable[[Step], None]
) -> None:
    def run_step(*_: object) -> dict[str, object]:
        raise DataError("the split 'valid' [2013] is empty")

    assembled(run_step)
    assert call("run", config)[::2] == (1, "error: the split 'valid' [2013] is empty")


def test_what_earlier_steps_gave_is_told_even_when_one_fails(
    config: Path, call: Call, assembled: Callable[[Step], None]
) -> None:
    def run_step(step: str, settings: Settings) -> dict[str, object]:
        if step == "sweep":
            raise DataError("the split is empty")
        return {"tables": "flights@v3"}

    assembled(run_step)
    code, out, err = call("run", config)
    assert (code, err) == (1, "error: the split is empty")
    assert "prepare tables: flights@v3" in out


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_an_interrupted_command_has_the_exit_code_of_its_signal(
    error: BaseException, code: int, config: Path, call: Call, assembled: Callable[[Step], None]
) -> None:
    def run_step(*_: object) -> dict[str, object]:
        raise error

    assembled(run_step)
    assert call("run", config)[0] == code


def test_a_defect_keeps_its_traceback(config: Path, assembled: Callable[[Step], None]) -> None:
    def run_step(*_: object) -> dict[str, object]:
        raise ZeroDivisionError("ours")

    assembled(run_step)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(ZeroDivisionError):
            main(["run", str(config)])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_unwritable_home_is_one_sentence(config: Path, ran: Ran, call: Call) -> None:
    (config.parent / "state").write_text("a file in its way")
    code, _, err = call("run", config)
    assert (code, ran) == (1, [])
    assert err.startswith(f"error: the home folder {config.parent}/state cannot be written (")


# -------------------------------------------------------------------------------------------------- ui


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_ui_of_an_empty_home_opens_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "new"))
    served: list[Any] = []
    monkeypatch.setattr(server, "_serve", served.append)
    code, out, _ = call("ui", "--port", port := free_port(), "--project", tmp_path)
    assert code == 0
    assert f"dashboards on {tmp_path}/new: http://127.0.0.1:{port}/lake/home/\n" in out
    assert served[0].lake == tmp_path
    assert served[0].home.database.is_file()


def test_the_ui_without_marimo_is_that_of_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    served: list[Any] = []
    monkeypatch.setattr(server, "_serve", served.append)
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    code, out, _ = call("ui", "--port", free_port())
    assert (code, served[0].lake) == (0, None)
    assert "need more: pip install 'sparkml-track[dash]'" in out


def test_the_ui_beyond_loopback_asks_for_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    served: list[Any] = []
    monkeypatch.setattr(server, "_serve", served.append)
    code, _, err = call("ui", "--port", free_port(), "--host", "0.0.0.0")
    assert code == 2
    assert "add --auth for accounts" in err
    assert not served


def test_a_port_in_use_is_one_sentence(config: Path, call: Call) -> None:
    (config.parent / "state").mkdir()
    (config.parent / "state" / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = call("ui", "--config", config, "--port", port)
    assert (code, err) == (1, f"error: port {port} is in use; give another one with --port")


def test_a_tracking_server_has_its_own_ui(config: Path, call: Call) -> None:
    config.write_text(CONF + "tracking: {uri: 'https://me:hunter2@tracking.example'}\n")
    code, _, err = call("ui", "--config", config)
    assert code == 1
    assert "has its own UI" in err
    assert "hunter2" not in err


def test_the_ui_names_the_pages_of_the_latest_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    monkeypatch.setattr(server, "_serve", lambda *_: None)
    given: dict[str, Any] = {"sampler": "random", "max_trials": 1, "executor": "inline", "progress": False}
    kept = st.sweep(lambda _: 1.0, {"x": st.uniform(0, 1)}, name="kept", **given)
    st.sweep(lambda _: 1.0, {"x": st.uniform(0, 1)}, name="gone", tracking=st.Tracking(uri="memory:"), **given)
    code, out, _ = call("ui", "--port", port := free_port())
    assert code == 0
    page = f"http://127.0.0.1:{port}/#/experiments/{kept.experiment_id}/runs"
    assert f"the latest sweep, {kept.sweep}: {page}/{kept.run_id}\n" in out
    assert f"its trials beside each other: {page}\n" in out


@pytest.mark.slow
def test_the_ui_serves_the_home_on_loopback_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    port = free_port()
    command = [sys.executable, "-c", "from sparkml_track.cli.app import main; main()", "ui", "--port", str(port)]
    environ = {**os.environ, "SPARKML_HOME": str(tmp_path)}
    server = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert wait_for(f"http://127.0.0.1:{port}/health", server) == b"OK"
        assert b"<html" in wait_for(f"http://127.0.0.1:{port}/", server)
        assert b"marimo" in wait_for(f"http://127.0.0.1:{port}/lake/home/", server)
        looking = connect(f"ws://127.0.0.1:{port}/lake/home/ws?session_id=s_tests0", legacy=True)
        assert looking.recv(timeout=60)
    finally:
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=60)
    looking.close()
    assert f"MLflow's UI: http://127.0.0.1:{port}" in output


def wait_for(address: str, server: subprocess.Popen[str]) -> bytes:
    """The answer of a server that is starting, for a minute at most."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not answer"
            time.sleep(0.2)


# -------------------------------------------------------------------------------------------------- the process


def in_a_process(arguments: Sequence[str], code: str = "") -> subprocess.CompletedProcess[str]:
    program = f"from sparkml_track.cli.app import main\ntry: main({list(arguments)!r})\nfinally:\n pass\n {code}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_help_lists_every_step_and_imports_nothing_heavy() -> None:
    heavy = "import sys; print('heavy', {'pyspark', 'mlflow', 'pandas', 'hyperopt', 'optuna'} & set(sys.modules))"
    done = in_a_process(["--help"], heavy)
    assert done.returncode == 0
    assert [step for step in (*STEPS, "run", "ui", "version") if f" {step} " not in done.stdout] == []
    assert done.stdout.rstrip().endswith("heavy set()")


def test_the_commands_are_the_steps_there_are() -> None:
    from sparkml_track.pipeline import steps

    assert tuple(STEPS) == steps.STEPS


def test_no_arguments_show_the_help() -> None:
    assert "Usage: sparkml-track" in in_a_process([]).stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    done = in_a_process(["sweeep"])
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("step", STEPS)
def test_a_job_is_the_command_of_its_step(step: str, root: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no.yaml"
    command = [sys.executable, str(root / "jobs" / f"{step}.py"), "--config", str(missing)]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ, cwd=tmp_path)
    assert done.returncode == 2
    assert " ".join(done.stderr.split()).startswith(f"error: {missing}: there is no such file")


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2>/dev/full >/dev/full"])
def test_a_terminal_that_is_gone_costs_messages_and_nothing_else(config: Path, tmp_path: Path, stderr: str) -> None:
    code = (
        "import io, logging, sys, types, sparkml_track.pipeline.steps as steps\n"
        "class Full(io.StringIO):\n"
        "    def flush(self):\n"
        "        raise OSError(28, 'No space left on device')\n"
        "def run_step(step, settings):\n"
        "    logging.getLogger('sparkml_track.x').warning('a warning')\n"
        # As a library leaves it that took stderr for itself: Python flushes it at the end.
        "    if step == 'sweep': sys.stderr = Full()\n"
        f"    open({str(tmp_path / 'ran')!r}, 'a').write(step)\n"
        "    return types.SimpleNamespace(facts=lambda: {'said': step})\n"
        "steps.run_step = run_step\n"
        f"from sparkml_track.cli.app import main; main(['run', {str(config)!r}])\n"
    )
    (tmp_path / "program.py").write_text(code)
    done = subprocess.run(f"{sys.executable} {tmp_path}/program.py {stderr}", shell=True, timeout=60)
    assert (tmp_path / "ran").read_text() == "preparesweep"
    assert done.returncode == 0 or "/dev/full" in stderr.partition(" ")[2]
