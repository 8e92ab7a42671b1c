"""Which classes and functions a stored model may name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from sparkml_track.registries._types import code_of, is_users, why_not


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.tree._tree.Tree",
        "functools.partial",
        "numpy.clip",
        "scipy.interpolate._bsplines.BSpline",
        f"{__name__}.of_the_project",
    ],
)
def test_what_models_are_made_of_may_be_there(name: str) -> None:
    assert why_not(name) == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("posix.system", "is not part of a model"),
        ("builtins.eval", "is not part of a model"),
        ("subprocess.Popen", "is not part of a model"),
        ("numpy.load", "is not a class that models are made of"),
        ("numpy.testing.runstring", "is not a class that models are made of"),
        ("pandas.io.pickle.read_pickle", "is not a class that models are made of"),
        ("pandas.core.frame.DataFrame", "is not a class that models are made of"),
        ("nowhere.Model", "cannot be imported here"),
        ("sklearn.nothing", "cannot be imported here"),
        ("__main__.Model", "move it to a module"),
        ("a.b.<lambda>", "move it to a module"),
    ],
)
def test_what_else_this_machine_can_do_may_not(name: str, why: str) -> None:
    assert why in why_not(name)


def of_the_project() -> None:
    """A function of a module that is not installed."""


def test_code_is_that_of_the_project_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one_pack").mkdir()
    (tmp_path / "one_pack" / "__init__.py").write_text("import numpy, sparkml_track, two_file\nfrom . import part\n")
    (tmp_path / "one_pack" / "part.py").write_text("def f(): pass\n")
    (tmp_path / "two_file.py").write_text("import json\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("one_pack")
    assert code_of(["one_pack.part.f", "sklearn.tree.Tree"]) == [
        str(tmp_path / "one_pack"),
        str(tmp_path / "two_file.py"),
    ]
    for name in ("one_pack", "one_pack.part", "two_file"):
        del sys.modules[name]


def test_a_library_is_nobodys_code_wherever_it_was_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by ``pip install --target``; a project with its own metadata beside it is not installed."""
    for name, kept in (("delivered_pack", "dist-info/RECORD"), ("own_pack", "egg-info/SOURCES.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("def f(): pass\n")
        file = tmp_path / f"{name}-1.0.{kept}"
        file.parent.mkdir()
        file.write_text(f"{name}/__init__.py,,\n")
        (file.parent / "top_level.txt").write_text(f"{name}\n")
        (file.parent / ("METADATA" if "dist" in kept else "PKG-INFO")).write_text(f"Name: {name}\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    modules = [importlib.import_module(name) for name in ("delivered_pack", "own_pack")]
    assert [is_users(module) for module in modules] == [False, True]
    assert code_of(["delivered_pack.f", "own_pack.f"]) == [str(tmp_path / "own_pack")]
    assert "is not a class that models are made of" in why_not("delivered_pack.f")


def test_a_file_of_another_python_does_not_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "three_pack").mkdir()
    (tmp_path / "three_pack" / "__init__.py").write_text("import four_file\n")
    (tmp_path / "three_pack" / "template.py").write_text("def {{ name }}(): pass\n")
    (tmp_path / "four_file.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("three_pack")
    assert code_of(["three_pack.f"]) == [str(tmp_path / "four_file.py"), str(tmp_path / "three_pack")]
