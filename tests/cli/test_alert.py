from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables
from tests.calls import Call, caller

LATE = """\
query: late.sql
params: {day: 2013-11-01, least: 1}
when: late >= 2
notify: {file: said.jsonl}
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    DeltaTables(Home.find().tables).write("flights", pa.table({"day": ["2013-11-01"] * 3, "delay": [0, 5, 9]}))
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "late.yaml").write_text(LATE)
    (tmp_path / "alerts" / "late.sql").write_text(
        "-- params: day string, least long\nSELECT count(*) AS late FROM flights WHERE day = $day AND delay >= $least\n"
    )

    return caller("alert", capsys)


def test_an_alert_is_checked_and_listed(call: Call, tmp_path: Path) -> None:
    assert json.loads(call("ls", "--json")[1])[0]["state"] == "never checked"
    assert call("run", "late") == (0, "late: triggered: late >= 2, value 2; notified: file\n", "")
    assert call("run", "late")[1] == "late: triggered: late >= 2, value 2\n"
    assert json.loads(call("run", "late", "--json")[1])["before"] == "triggered"
    assert len((tmp_path / "alerts" / "said.jsonl").read_text().splitlines()) == 1
    assert "triggered" in call("ls")[1]
    (tmp_path / "alerts" / "late.sql").write_text("SELECT 0 AS late")
    (tmp_path / "alerts" / "late.yaml").write_text("query: |\n  SELECT 0 AS late\n  FROM flights\nwhen: late >= 2\n")
    assert call("run", "late")[1] == "late: ok (was triggered): late >= 2, value 0\n"


def test_an_unknown_state_is_exit_1(call: Call, tmp_path: Path) -> None:
    (tmp_path / "alerts" / "gone.yaml").write_text("query: SELECT 1 AS v FROM gone\nwhen: v > 0\n")
    code, out, _ = call("run", "gone", "late")
    assert code == 1
    assert out.startswith("gone: unknown: there is no table gone")
    assert "late: triggered" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("query: SELECT 1\n", "late.yaml:1: when: missing"),
        ("query: SELECT 1\nwhen: high\n", "late.yaml:2: when: must be a column or rows, a sign and a number"),
        ("query: SELECT 1\nwhen: v > 1\nwen: 3\n", "late.yaml:3: wen: unknown key"),
        ("query: none.sql\nwhen: v > 1\n", "none.sql cannot be read"),
        ("query: SELECT 1\nwhen: v > 1\nnotify: {webhook: ftp://x}\n", "must be a URL that begins with http"),
        ("query: [\n", "late.yaml:"),
        ("query: SELECT 1\nwhen: v > 1\nnotify: {command: []}\n", "late.yaml:3: notify.command"),
    ],
)
def test_a_wrong_file_is_one_sentence_for_each_problem(call: Call, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "alerts" / "late.yaml").write_text(text)
    code, out, err = call("run", "late")
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("name", ["lat", "../late", "", "late.yaml"])
def test_an_alert_that_is_not_there_is_wrong_input(call: Call, name: str) -> None:
    code, _, err = call("run", name)
    assert code == 2
    assert "there are: late" in err
