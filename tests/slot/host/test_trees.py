from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkml_track.slot.attempt.artifacts import pieces
from sparkml_track.slot.host.share import Share, remove_left
from sparkml_track.slot.host.trees import DEEPEST, MOST, plain_files, remove_tree


def nest(folder: Path, depth: int, name: str = "d") -> None:
    """Folders in each other, deeper than a path can be; a file in the last."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def test_a_tree_deeper_than_paths_and_the_stack_is_removed(tmp_path: Path) -> None:
    nest(tmp_path / "top", 1500, "a" * 20)
    assert remove_tree(str(tmp_path / "top")) == ""
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "top" / "deep").mkdir(parents=True)
    (tmp_path / "top" / "deep" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "other").symlink_to(tmp_path / "kept")
    assert remove_tree(str(tmp_path / "top")) == remove_tree(str(tmp_path / "other")) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").read_text() == "x"


def test_what_cannot_be_removed_is_said_and_what_is_not_there_is_gone(tmp_path: Path) -> None:
    assert remove_tree(str(tmp_path / "none")) == ""
    assert remove_tree("/proc/self") != ""


def test_folders_that_nobody_may_read_are_removed(tmp_path: Path) -> None:
    (tmp_path / "top" / "closed" / "in").mkdir(parents=True)
    (tmp_path / "top" / "closed").chmod(0)
    assert remove_tree(str(tmp_path / "top")) == ""


def test_files_too_deep_or_too_many_are_left_out_by_name(tmp_path: Path) -> None:
    nest(tmp_path / "top", 500)
    (tmp_path / "top" / "near.txt").write_text("x")
    found, left_out = plain_files(str(tmp_path / "top"))
    assert found == ["near.txt"]
    assert left_out == [f"'d'... (deeper than {DEEPEST} folders)"]
    many = tmp_path / "many"
    many.mkdir()
    for number in range(MOST + 5):
        (many / f"{number:06}").touch()
    found, left_out = plain_files(str(many))
    assert len(found) == MOST
    assert left_out == [f"5 files and what was not looked at (more than {MOST:,} files)"]


def test_artifacts_of_any_depth_end_with_a_list_of_what_was_left_out(tmp_path: Path) -> None:
    nest(tmp_path / "artifacts" / "0.0.1", 500)
    sent = list(pieces(str(tmp_path), "0.0.1"))
    assert [head.path for head, _ in sent] == ["ARTIFACTS_LEFT_OUT.txt"]
    assert b"deeper than 32 folders" in sent[0][1]
    assert not (tmp_path / "artifacts" / "0.0.1").exists()


@pytest.mark.parametrize(
    "goes", [lambda folder: Share(str(folder)).remove(), lambda folder: remove_left(str(folder.parent))]
)
def test_a_folder_with_deep_checkpoints_stops_no_later_sweep(tmp_path: Path, goes: Callable[[Path], None]) -> None:
    folder = tmp_path / "user" / "sweep"
    nest(folder / "checkpoints" / "0.0", 1500)
    (folder / "over").touch()
    goes(folder)
    assert list((tmp_path / "user").iterdir()) == []
