"""Where a person sits is found out in one place, without importing a notebook's library."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from sparkml_track.adapters.notebooks.front_end import FrontEnd, front_end


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPython", "marimo"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(sys, "ps1", raising=False)


def shell(monkeypatch: pytest.MonkeyPatch, **attributes: object) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(**attributes)))


def test_a_script_has_nobody() -> None:
    assert front_end() is FrontEnd.SCRIPT
    assert not front_end().notebook


def test_libraries_that_are_only_imported_make_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: False))
    assert front_end() is FrontEnd.SCRIPT


def test_a_module_that_only_has_the_name_makes_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace())
    assert front_end() is FrontEnd.SCRIPT


def test_a_kernel_is_a_notebook_and_a_terminal_is_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    shell(monkeypatch, kernel=object())
    assert front_end() is FrontEnd.JUPYTER
    assert front_end().notebook
    shell(monkeypatch)
    assert front_end() is FrontEnd.PROMPT


def test_pythons_own_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert front_end() is FrontEnd.PROMPT


def test_marimo_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    shell(monkeypatch, kernel=object())
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: True))
    assert front_end() is FrontEnd.MARIMO


def test_to_look_imports_neither() -> None:
    code = "import sys; from sparkml_track.api.progress.showing import display\n"
    code += "with display('s', None): print([n for n in ('IPython', 'marimo') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
