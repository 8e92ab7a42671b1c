"""``sparkml-track resume``, ``verify`` and ``sweeps``."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sparkml_track as st
import sparkml_track.engine.audit.verify
from sparkml_track.cli.app import main
from sparkml_track.engine.audit.sweep_list import overview
from sparkml_track.engine.run import run_sweep
from sparkml_track.engine.spec.lifecycle import Lifecycle
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.engine.surroundings import Surroundings
from sparkml_track.journals import read
from sparkml_track.space import parse
from sparkml_track.trackers import MemoryTracker, Tracker
from tests.clusters import wait_until

pytestmark = pytest.mark.slow

CODE = """\
from pathlib import Path

FLAG = Path(__file__).with_name("mended")

def train(trial):
    if trial.number == 1 and not FLAG.exists():
        raise ValueError("not yet")
    return trial.params["x"]
"""

CONF = """\
name: mine
home: state
code: [code]
sweep:
  objective: accounted:train
  sampler: random
  executor: processes
  parallelism: 1
  seed: 3
  max_trials: 4
  space: {x: {uniform: [0, 1]}}
"""


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "state"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "accounted.py").write_text(CODE)
    (tmp_path / "conf.yaml").write_text(CONF)
    return tmp_path / "conf.yaml"


class Died(BaseException):
    """As the death of the driver."""


def unfinished(home: Path, name: str = "left") -> str:
    """A sweep whose driver died before its third result."""
    seen: list[Lifecycle] = []

    def reached(point: Lifecycle) -> None:
        seen.append(point)
        if seen.count(Lifecycle.RECEIVED) == 3:
            raise Died

    spec = Spec(lambda trial: trial.params["x"], parse({"x": st.uniform(0, 1)}), name, name)
    spec = replace(spec, sampler="random", max_trials=5, executor="inline")
    with pytest.raises(Died):
        run_sweep(spec, Surroundings(home, reached=reached))
    return next(one.sweep for one in overview(home) if one.sweep.startswith(name))


def test_a_sweep_of_a_config_file_is_resumed_with_its_failed_trials(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("sweep", "--config", config) == 0
    home = config.parent / "state"
    (one,) = overview(home)
    assert (one.state, one.resumable) == ("finished", False)
    assert one.counts is not None and one.counts.failed == 1
    (config.parent / "code" / "mended").touch()
    assert command("resume", one.sweep) == 0
    assert command("resume", one.sweep, "--retry-failed") == 0
    (again,) = overview(home)
    assert again.counts is not None and again.counts.finished == 4
    capsys.readouterr()
    assert command("verify", one.sweep) == 0
    assert "4 trials, all as the journal says" in capsys.readouterr().out


WAITS = """\
import time
from pathlib import Path

def train(trial):
    if trial.number == 2 and not Path(__file__).with_name("mended").exists():
        Path(__file__).with_name("waits").touch()
        time.sleep(600)
    return trial.params["x"]
"""


def test_a_sweep_of_another_process_is_stopped_in_good_order(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "code" / "accounted.py").write_text(WAITS)
    program = [str(Path(sys.executable).with_name("sparkml-track")), "sweep", "--config", str(config)]
    with (config.parent / "log").open("w") as log, subprocess.Popen(program, stdout=log, stderr=log) as driver:
        wait_until((config.parent / "code" / "waits").exists, 120)
        (one,) = overview(config.parent / "state")
        assert command("stop", one.sweep) == 0
        said = capsys.readouterr().out
        assert f"sweep {one.sweep} is asked to stop: pid {driver.pid} on host" in said
        assert driver.wait(120) == 130
    assert "a request to stop: 1 trials are being ended" in (config.parent / "log").read_text()
    (one,) = overview(config.parent / "state")
    assert one.resumable
    assert one.counts is not None and (one.counts.finished, one.counts.killed) == (2, 1)
    assert command("verify", one.sweep) == 0
    assert command("stop", one.sweep) == 2
    assert f"nobody runs sweep {one.sweep}" in capsys.readouterr().err
    (config.parent / "code" / "mended").touch()
    assert command("resume", one.sweep) == 0
    (one,) = overview(config.parent / "state")
    assert one.counts is not None and one.counts.finished == 4


def test_a_finished_sweep_is_extended(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep", "--config", config) == 0
    home = config.parent / "state"
    (one,) = overview(home)
    assert command("extend", one.sweep, "--max-trials", 4) == 2
    assert "sweep " + one.sweep + " has 4, allowed is more" in capsys.readouterr().err
    assert command("extend", one.sweep, "--max-trials", 7) == 0
    (again,) = overview(home)
    assert again.counts is not None and (again.counts.planned, again.counts.finished) == (7, 6)
    assert again.run == one.run
    assert command("resume", one.sweep) == 0, "its config file still says 4"
    assert command("verify", one.sweep) == 0
    assert "7 trials, all as the journal says" in capsys.readouterr().out
    assert command("extend", one.sweep, "--max-trials", 8) == 0
    assert command("extend", "nobody", "--max-trials", 8) == 2


def test_a_trial_is_reproduced_and_what_changed_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep", "--config", config) == 0
    (one,) = overview(config.parent / "state")
    capsys.readouterr()
    assert command("reproduce", one.sweep, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["changed"] == []
    assert [(row["metric"], row["same"], row["was"] == row["is"]) for row in again["metrics"]] == [("loss", True, True)]
    assert command("reproduce", one.sweep, "--trial", 1) == 2
    assert "trial 1 of sweep" in capsys.readouterr().err
    (config.parent / "code" / "accounted.py").write_text(CODE.replace('params["x"]', 'params["x"] + 1'))
    sys.modules.pop("accounted")
    assert command("reproduce", one.sweep, "--trial", 0) == 3
    said = capsys.readouterr()
    assert "changed since: code.source: was" in said.out
    assert "gave other metrics" in said.err


def test_a_trial_is_reproduced_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))

    def objective(trial: st.Trial) -> float:
        trial.report({"loss": 1.0}, 0)  # type: ignore[attr-defined]
        return float(trial.data["rows"][0]) + trial.seed % 97  # type: ignore[index]

    given: dict[str, Any] = {"max_trials": 4, "sampler": "random", "executor": "inline", "progress": False}
    data = {"rows": np.array([2.0, 3.0])}
    result = st.sweep(objective, {"x": st.uniform(0, 1)}, data=data, **given)
    again = st.reproduce(result.sweep, objective, data=data, trial=2)
    assert again.changed == []
    assert again.compared() == [
        {"metric": "loss", "was": result.trials[2].metrics["loss"], "is": again.was["loss"], "same": True}
    ]
    other = st.reproduce(result.sweep, objective, data={"rows": np.array([9.0])})
    assert other.trial == result.best.number
    assert [line.split(":")[0] for line in other.changed] == ["data.rows"]
    assert not other.compared()[0]["same"]


def test_verify_exits_3_with_the_differences_and_repair_ends_what_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    sweep = unfinished(tmp_path)
    assert command("verify", sweep) == 3
    assert "has not ended" in capsys.readouterr().out
    assert command("verify", sweep, "--repair") == 0
    out = capsys.readouterr().out
    assert "repaired: ended the parent run as killed" in out
    assert command("verify", sweep) == 0


def test_sweeps_are_listed_with_state_counts_and_whether_they_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    assert command("sweeps") == 0
    assert "no sweeps in" in capsys.readouterr().out
    sweep = unfinished(tmp_path)
    assert command("sweeps") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if sweep in line]
    assert line.split()[:3] == [sweep, "unfinished", "2"]
    assert line.split()[-1] == "yes"


def test_a_sweep_that_was_started_from_python_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    sweep = unfinished(tmp_path)
    assert command("resume", sweep) == 2
    assert f"resume='{sweep}'" in capsys.readouterr().err
    assert command("resume", "nobody") == 1
    assert "there is no journal of sweep 'nobody'" in capsys.readouterr().err


def test_the_seed_that_was_drawn_is_kept_for_the_steps_after(config: Path) -> None:
    config.write_text(CONF.replace("  seed: 3\n", "").replace("max_trials: 4", "max_trials: 2"))
    assert command("sweep", "--config", config) == 0
    home = config.parent / "state"
    kept = json.loads((home / "steps" / "mine" / "sweep.json").read_text())
    plan: Any = next(read(home, kept["sweep"])).body
    assert kept["seed"] == plan["spec"]["seed"] > 0


def test_verify_takes_the_secrets_of_the_uri_from_the_config_the_sweep_was_started_with(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, tracker, opened = "https://me:hunter2@tracking.example", MemoryTracker(), list[str | None]()

    def opens(given: str | None, home: Path) -> Tracker:
        opened.append(given)
        return tracker

    for module in ("run", "audit.verify"):
        monkeypatch.setattr(f"sparkml_track.engine.{module}.open_tracker", opens)
    config.write_text(f"{CONF}tracking: {{uri: '{uri}'}}\n")
    assert command("sweep", "--config", config) == 0
    (one,) = overview(config.parent / "state")
    assert command("verify", one.sweep) == 0
    assert opened == [uri, uri]
    config.write_text(CONF)
    assert command("verify", one.sweep) == 2
    assert "hunter2" not in (told := capsys.readouterr().err) and "--tracking-uri" in told
