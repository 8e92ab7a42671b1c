"""Which files of modules a user may change."""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sparkml_track.slot.sources import sources_of_modules, versions_of


def test_files_outside_of_installed_libraries_are_those_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_of_a_user.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("mine_of_a_user")
    found = sources_of_modules()
    assert str(tmp_path / "mine_of_a_user.py") in found
    assert np.__file__ not in found
    assert os.__file__ not in found


def test_what_lies_below_the_prefix_but_is_not_installed_is_a_users(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("mine_below_the_prefix")
    module.__file__ = os.path.join(sysconfig.get_path("data"), "src", "mine.py")
    monkeypatch.setitem(sys.modules, "mine_below_the_prefix", module)
    assert module.__file__ in sources_of_modules()


def test_a_module_in_an_archive_changes_with_it(tmp_path: Path) -> None:
    archive = tmp_path / "code.zip"
    inside = str(archive / "mine.py")
    versions = []
    for text in ("1", "22"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("mine.py", text)
        versions.append(versions_of([inside]))
    assert versions[0] != versions[1]
    assert versions_of([str(tmp_path / "not there")]) == {str(tmp_path / "not there"): None}
