"""Commands about pages: a new one, the list, one as a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sparkml_track.server.browser import find_browser
from tests.calls import Call, caller


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPARKML_LAKE", "")
    return caller("dashboards", capsys)


def test_a_new_page_is_listed_and_runs(tmp_path: Path, call: Call) -> None:
    code, out, _ = call("new", "sales-1", "--project", tmp_path)
    path = tmp_path / "dashboards" / "sales-1.py"
    assert (code, f"made {path}" in out) == (0, True)
    assert "own/sales-1" in call("ls", "--project", tmp_path)[1]
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_is_there_is_not_changed(tmp_path: Path, call: Call) -> None:
    call("new", "sales", "--project", tmp_path)
    path = tmp_path / "dashboards" / "sales.py"
    path.write_text("mine")
    code, _, err = call("new", "sales", "--project", tmp_path)
    assert (code, path.read_text()) == (2, "mine")
    assert "is there already; it was not changed" in err


@pytest.mark.parametrize("name", ["../evil", "Sales", "", "a b", "home", "x" * 65])
def test_a_name_that_cannot_be_is_refused(name: str, tmp_path: Path, call: Call) -> None:
    code, _, err = call("new", name, "--project", tmp_path)
    assert code == 2
    assert f"the name is {name!r}" in err
    assert not (tmp_path / "dashboards").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "-o", "x.pdf"), "there is no page 'nowhere'; there are home"),
        (("home", "-o", "x.html"), "it can be .pdf or .png. A page of HTML alone would take its scripts"),
        (("home", "-o", "no/such/x.pdf"), "no/such is not there"),
        (("home", "-o", "x.pdf", "--set", "sweep"), "--set is 'sweep'; allowed is KEY=VALUE"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(
    words: tuple[str, ...], said: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call("export", *words)
    assert code == 2
    assert said in err


def test_without_a_browser_the_way_to_one_is_said(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = call("export", "home", "-o", tmp_path / "x.pdf")
    assert code == 1
    assert "sudo apt-get install chromium" in err


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None, reason="NO BROWSER: install chromium to write pages into files")
@pytest.mark.parametrize(("name", "start"), [("page.pdf", b"%PDF-"), ("page.png", b"\x89PNG")])
def test_a_page_is_written_as_a_browser_draws_it(name: str, start: bytes, tmp_path: Path, call: Call) -> None:
    call("new", "mine", "--project", tmp_path)
    code, _, err = call("export", "own/mine", "-o", tmp_path / name, "--project", tmp_path)
    assert (code, err) == (0, "")
    assert (tmp_path / name).read_bytes().startswith(start)
    assert (tmp_path / name).stat().st_size > 10_000
    assert [path.name for path in tmp_path.glob(".*.part")] == []
