"""The zip with the slot code: made by whoever comes first, several at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sparkml_track.executors._spark import worker_launcher
from sparkml_track.executors._spark.worker_launcher import zip_of_slot


def test_one_that_makes_the_zip_while_another_does_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_launcher, "user_folder", lambda: str(tmp_path))
    replace, rename = os.replace, Path.rename
    made: list[str] = []

    def other_comes_first() -> None:
        if not made:
            made.append("")
            made[0] = zip_of_slot()

    def slow_replace(source: str, target: Path) -> None:
        other_comes_first()
        replace(source, target)

    def slow_rename(source: Path, target: Path) -> Path:
        other_comes_first()
        return rename(source, target)

    monkeypatch.setattr(os, "replace", slow_replace)
    monkeypatch.setattr(Path, "rename", slow_rename)
    assert zip_of_slot() == made[0]
    assert [each.name for each in tmp_path.iterdir()] == [Path(made[0]).name]
