"""What a run says about its code."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sparkml_track.api.provenance import code_tags


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_and_whether_there_are_changes_are_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert code_tags([tmp_path]) == {}
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "new.py").write_text("")  # not part of the code yet
    assert code_tags([tmp_path]) == {"mlflow.source.git.commit": commit, "sparkml.code.changed": "false"}
    (tmp_path / "a.py").write_text("a = 2\n")
    assert code_tags([tmp_path]) == {"mlflow.source.git.commit": commit, "sparkml.code.changed": "true"}


def test_without_git_nothing_is_told(tmp_path: Path) -> None:
    assert code_tags([tmp_path]) == {}
