"""The main job on the flights, as a user runs it: all steps, all their data, few trials on few rows of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flights.features import ENTITIES
from tests.calls import caller
from tests.dashboards.drawn import broken

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1200)]

#: By step.
Facts = dict[str, Any]

SHORTER = (
    (r"max_trials: \d+", "max_trials: 6"),
    (r"(?<!_)rows: \d+", "rows: 3000"),
    (r"code: \[\.\./jobs\]", "code: [{jobs}]"),
)


@pytest.fixture(scope="module")
def ran(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """The home that the job leaves, and what each step says of itself."""
    folder = tmp_path_factory.mktemp("main")
    text = (root / "conf" / "flights.yaml").read_text()
    for pattern, shorter in SHORTER:
        text, found = re.subn(pattern, shorter.format(jobs=root / "jobs"), text)
        assert found == 1, f"conf/flights.yaml has {found} times {pattern} by now"
    config = folder / "flights.yaml"
    config.write_text(text)
    env = {**os.environ, "SPARKML_HOME": str(folder / "home"), "HOME": str(folder)}
    command = [str(Path(sys.executable).with_name("sparkml-track")), "run", "--json", str(config)]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5_000:]
    lines = map(json.loads, done.stdout.splitlines())
    return folder / "home", {line["step"]: line["facts"] for line in lines if line.get("event") == "facts"}


@pytest.fixture
def home(ran: tuple[Path, Facts], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(ran[0]))
    monkeypatch.setenv("SPARKML_LAKE", "")
    return ran[0]


def test_its_champion_beats_what_is_simple_and_scores_all_flights_of_the_test_months(ran: tuple[Path, Facts]) -> None:
    _, facts = ran
    assert list(facts) == ["prepare", "features", "sweep", "register", "deploy", "monitor"]
    assert facts["register"]["model"] == "flights_delay version 1, alias champion"
    assert "beats base_rate" in facts["register"]["because"]
    assert facts["deploy"]["rows"] == "54,000"
    assert {month: each["rows"] for month, each in facts["monitor"]["quality"].items()} == {
        "2013-11": 26936, "2013-12": 27035, "2014-01": 29
    }  # fmt: skip


def test_its_sweep_is_in_mlflow_as_the_journal_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep,) = (each.name for each in (home / "journal").iterdir() if each.is_dir())
    code, said, _ = caller("verify", capsys)(sweep)
    assert (code, said.split(",")[0]) == (0, f"sweep {sweep}: 6 trials")


def test_its_features_are_followed_to_all_their_tables(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = caller("catalog", capsys)("lineage", "flights_training", "--up", "--format", "json")
    assert code == 0
    raw = {"flights", "weather", "planes"}
    made = {"plane_facts", "origin_weather", *(f"{each}_delays" for each in ENTITIES)}
    tables = {node["name"] for node in json.loads(said)["nodes"] if node["type"] == "TABLE"}
    assert tables == {f"main.default.{name}" for name in ("flights_training", *raw, *made)}


def test_every_page_shows_it(home: Path) -> None:
    assert broken() == {}
