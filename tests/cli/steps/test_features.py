"""The step ``features``, and ``features audit``."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sparkml_track.config.settings import load
from sparkml_track.features import AuditReport
from sparkml_track.features.leaks import Cut, Leak
from tests.calls import Call, caller

CONF = """\
name: mine
home: state
code: [code]
features:
  build: featured:build
  label: y
  time: at
  known: {trips: arrived, wind: {time: known_at, columns: [speed]}}
  split:
    train: {start: 2013-01-01, end: 2013-02-01}
    valid: {start: 2013-02-01, end: 2013-03-01}
    test: {start: 2013-03-01, end: 2013-04-01}
sweep: {objective: featured:build, max_trials: 1, space: {x: {uniform: [0, 1]}}}
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "featured.py").write_text("def build(store):\n    return None\n")
    (tmp_path / "conf.yaml").write_text(CONF)
    return caller("features", capsys)


def test_when_rows_became_known_is_read(call: Call, tmp_path: Path) -> None:
    section = load(tmp_path / "conf.yaml").features
    assert section is not None
    known = {name: (one.time, one.columns) for name, one in section.known.items()}
    assert known == {"trips": ("arrived", ()), "wind": ("known_at", ("speed",))}


def test_an_audit_is_shown_and_a_leak_is_exit_3(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparkml_track.pipeline import audit

    asked: dict[str, Any] = {}

    def found(tables: object, builder: object, **how: Any) -> AuditReport:
        asked.update(how)
        cut = Cut(how["known"] and load(Path("conf.yaml")).features.split.train.end, 10, 0)  # type: ignore[union-attr]
        leaks = (Leak("x", 7, 1, "id=1 at noon: 1 became 2"),) if how["cuts"] == 2 else ()
        return AuditReport(leaks, (), (cut,), features=("x",))

    monkeypatch.setattr(audit, "audit", found)
    project = SimpleNamespace(
        plain_tables=lambda _: None, session=lambda: None, close=lambda: None, function=lambda *_: None
    )
    monkeypatch.setattr(audit, "Project", lambda _: project)
    code, out, _ = call("audit", "conf.yaml")
    assert (code, asked["cuts"], asked["limit"], asked["time"]) == (0, 3, 0.95, "at")
    assert "no feature changes with what became known later" in out
    code, out, _ = call("audit", "conf.yaml", "--cuts", "2")
    assert code == 3
    assert "leak: x changes with what became known after the prediction time: 7 rows at 1 cuts" in out
    code, out, _ = call("audit", "conf.yaml", "--cuts", "2", "--json")
    assert (code, json.loads(out)["ok"], json.loads(out)["leaks"][0]["feature"]) == (3, False, "x")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--config' / '-c', or a command"),
        (("--config", "none.yaml"), "none.yaml"),
        (("audit",), "Missing argument 'CONFIG'"),
        (("audit", "none.yaml"), "none.yaml"),
        (("audit", "bare.yaml"), "no section 'features', so there is nothing to audit"),
        (("--json", "audit", "conf.yaml"), "Options of the step come with --config; those of audit come behind it."),
        (("--config", "bare.yaml"), "no section 'features', so there is nothing to features"),
        (("audit", "wrong.yaml"), "features.build"),
        (("audit", "conf.yaml", "--cuts", "0"), "--cuts"),
    ],
)
def test_wrong_input_is_exit_2(call: Call, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "bare.yaml").write_text(CONF[: CONF.index("features:")] + CONF[CONF.index("sweep:") :])
    (tmp_path / "wrong.yaml").write_text(CONF.replace("build: featured:build", "build: featured:made"))
    code, _, error = call(*arguments)
    assert code == 2
    assert said in error
