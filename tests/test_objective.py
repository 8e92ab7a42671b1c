"""Functions that config files name: which module a name means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sparkml_track.errors import ObjectiveError
from sparkml_track.objective import find_code, resolve

NAME = "objectives_of_a_project"


def project(folder: Path, value: int) -> list[str]:
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(f"def train(trial): return {value}\n")
    return [str(folder)]


def test_a_module_of_another_project_does_not_run_in_place_of_this_ones(tmp_path: Path) -> None:
    one, other = project(tmp_path / "one", 1), project(tmp_path / "other", 2)
    assert resolve(f"{NAME}:train", one)(None) == 1
    with pytest.raises(ObjectiveError) as raised:
        resolve(f"{NAME}:train", other)
    assert f"names a module of {tmp_path}/other/{NAME}.py" in str(raised.value)
    assert f"from {tmp_path}/one/{NAME}.py; rename one" in str(raised.value)
    assert resolve(f"{NAME}:train", one)(None) == 1


def test_a_module_that_came_by_another_way_to_its_file_is_that_module(tmp_path: Path) -> None:
    code = project(tmp_path / "one", 1)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    function = resolve(f"{NAME}:train", code)
    assert resolve(f"{NAME}:train", [str(tmp_path / "link")]) is function
    assert resolve(f"{NAME}:train") is function
    assert resolve(f"{NAME}:train", [str(tmp_path)]) is function  # nothing there has the name


def test_folders_asked_for_last_come_first(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    for folders in ([one, other], [other], [one]):
        find_code(folders)
        assert sys.path[: len(folders)] == folders
    assert [sys.path.count(each) for each in (one, other)] == [1, 1]
