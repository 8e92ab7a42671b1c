"""The editor of notebooks: on loopback alone, behind a token, with the home at hand."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sparkml_track.errors import InvalidInput, SetupError
from sparkml_track.home import Home
from sparkml_track.notebooks import editor, editor_command, editor_environment, write_notebook
from tests.notebooks.marimo_server import wait_for


def test_it_listens_on_loopback_with_a_token_and_asks_the_network_for_nothing(tmp_path: Path) -> None:
    command = editor_command(tmp_path, 4000, browser=False)
    given = " ".join(command)
    assert "--host 127.0.0.1 --port 4000 --token" in given
    assert {"--headless", "--no-sandbox", "--skip-update-check"} <= set(command)
    assert "--headless" not in editor_command(tmp_path)


def test_its_notebooks_have_the_home_and_the_code_of_a_config(tmp_path: Path) -> None:
    found = editor_environment(Home(tmp_path), ["/code"], {"PYTHONPATH": "/mine", "A": "b"})
    assert found == {"PYTHONPATH": "/code:/mine", "A": "b", "SPARKML_HOME": str(tmp_path)}
    assert "PYTHONPATH" not in editor_environment(Home(tmp_path), (), {})


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none.py", "there is no file .*none.py; `sparkml-track notebook --new explore .*none.py` makes one"),
        ("a.ipynb", "a.ipynb is a notebook of Jupyter; `marimo convert .*a.ipynb -o .*a.py` makes one of marimo"),
        ("a.txt", "a.txt is not a notebook of marimo, which ends with .py"),
    ],
)
def test_what_it_cannot_open_is_refused_with_the_way_out(name: str, problem: str, tmp_path: Path) -> None:
    for there in ("a.ipynb", "a.txt"):
        (tmp_path / there).touch()
    with pytest.raises(InvalidInput, match=problem):
        editor_command(tmp_path / name)


def test_without_marimo_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor, "find_spec", lambda _: None)
    with pytest.raises(SetupError, match=r"pip install 'sparkml-track\[dash\]'"):
        editor_command(tmp_path)


@pytest.mark.slow
def test_a_stranger_gets_no_notebook_and_other_addresses_do_not_answer(tmp_path: Path) -> None:
    write_notebook("explore", tmp_path / "mine.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: str(tmp_path / name.lower()) for name in ("SPARKML_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    command = [sys.executable, "-m", "sparkml_track.cli", "notebook", "mine.py", "--no-browser", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **own, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            address = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
            assert re.fullmatch(rf"http://(localhost|127\.0\.0\.1):{port}/?\?access_token=[\w-]{{16,}}", address)
            wait_for(f"http://127.0.0.1:{port}/health")
            known = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with known.open(address.replace("localhost", "127.0.0.1"), timeout=120) as page:
                assert "mine.py" in page.read().decode()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=120) as page:
                assert "/auth/login" in page.url
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.2", port), timeout=120)
        finally:
            process.terminate()
            process.stdout.read()
