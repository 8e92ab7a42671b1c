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
    assert f"needs {NAME!r} from {tmp_path}/other/{NAME}.py" in str(raised.value)
    assert f"from {tmp_path}/one/{NAME}.py; rename one" in str(raised.value)
    assert resolve(f"{NAME}:train", one)(None) == 1


@pytest.mark.parametrize("imports", ["import helper_of_a_project as h", "from helper_of_a_project import value"])
def test_nor_does_a_helper_of_another_project(imports: str, tmp_path: Path) -> None:
    for number, name in enumerate(("one", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper_of_a_project.py").write_text(f"def value(): return {number}\n")
        (tmp_path / name / f"{NAME}_{name}.py").write_text(f"{imports}\ndef train(trial): return 0\n")
    resolve(f"{NAME}_one:train", [str(tmp_path / "one")])
    with pytest.raises(ObjectiveError, match=r"needs 'helper_of_a_project' from .*other/helper_of_a_project\.py"):
        resolve(f"{NAME}_other:train", [str(tmp_path / "other")])


def test_what_is_of_no_module_is_no_helper(tmp_path: Path) -> None:
    code = "def train(trial): return 1\ndef bare(): pass\nbare.__module__ = None\n"
    (tmp_path / f"{NAME}.py").write_text(code)
    assert resolve(f"{NAME}:train", [str(tmp_path)])(None) == 1


def test_nor_does_a_module_of_a_package_without_a_file(tmp_path: Path) -> None:
    for number, name in enumerate(("one", "other")):
        (tmp_path / name / "jobs_of_a_project").mkdir(parents=True)
        (tmp_path / name / "jobs_of_a_project" / "train.py").write_text(f"def f(trial): return {number}\n")
    assert resolve("jobs_of_a_project.train:f", [str(tmp_path / "one")])(None) == 0
    with pytest.raises(ObjectiveError, match=r"needs 'jobs_of_a_project\.train' from .*other"):
        resolve("jobs_of_a_project.train:f", [str(tmp_path / "other")])


def test_a_package_that_hides_this_ones_is_said(tmp_path: Path) -> None:
    for name, module in (("one", "base"), ("other", "train")):
        (tmp_path / name / "firm_of_a_project").mkdir(parents=True)
        (tmp_path / name / "firm_of_a_project" / "__init__.py").touch()
        (tmp_path / name / "firm_of_a_project" / f"{module}.py").write_text("def f(trial): return 1\n")
    resolve("firm_of_a_project.base:f", [str(tmp_path / "one")])
    with pytest.raises(ObjectiveError, match=r"needs 'firm_of_a_project' from .*other"):
        resolve("firm_of_a_project.train:f", [str(tmp_path / "other")])


def test_packages_that_share_a_name_on_purpose_are_one(tmp_path: Path) -> None:
    for name, module in (("one", "base"), ("other", "train")):
        (tmp_path / name / "shared_of_a_project").mkdir(parents=True)
        share = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
        (tmp_path / name / "shared_of_a_project" / "__init__.py").write_text(share)
        (tmp_path / name / "shared_of_a_project" / f"{module}.py").write_text(f"def f(trial): return {module!r}\n")
    both = [str(tmp_path / "one"), str(tmp_path / "other")]
    assert resolve("shared_of_a_project.base:f", both)(None) == "base"
    assert resolve("shared_of_a_project.train:f", both[1:])(None) == "train"


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
