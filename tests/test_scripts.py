"""The set-up: what it installs is in the lock with hashes, and what is missing is told in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shell(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with the functions of scripts/setup, on a machine where nothing can be installed."""
    given = {"PATH": os.environ["PATH"], **environ}
    text = f". {ROOT}/scripts/setup; can_apt() {{ false; }}; {program}"
    return subprocess.run(["/bin/bash", "-c", text], capture_output=True, text=True, env=given, timeout=60)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def blocks(text: str) -> dict[str, str]:
    """Name to what the lock says of it."""
    found = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return {block.split("==")[0]: block for block in found if block.strip()}


def lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def test_every_locked_package_has_hashes_and_no_place_it_comes_from() -> None:
    packages = blocks(lock())
    assert [name for name, block in packages.items() if "--hash=sha256:" not in block] == []
    assert re.findall(r"https?:|file:|^-|@ ", lock(), flags=re.MULTILINE) == []


def test_the_lock_has_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(item for name in ("demo", "connect", "cmaes", "jobs", "test") for item in extras[name]),
    ]
    names = {re.split(r"[<>=!\[ ]", item)[0].lower() for item in wanted}
    assert sorted(names - set(blocks(lock()))) == []


def test_the_build_tools_are_taken_from_the_lock_with_their_hashes() -> None:
    done = shell("locked packaging setuptools wheel")
    assert done.returncode == 0
    assert list(blocks(done.stdout)) == ["packaging", "setuptools", "wheel"]
    assert all(block in lock() for block in blocks(done.stdout).values())


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ('echo "openjdk version \\"11.0.2\\" 2019" >&2', "Java 11 was found in JAVA_HOME="),
        ('echo "java version \\"1.8.0_202\\"" >&2', "Java 8 was found in JAVA_HOME="),
        ("exit 1", "no Java was found"),
    ],
)
def test_java_that_is_missing_or_too_old_is_one_sentence(says: str, words: str, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "java", says)
    done = shell("need_java; echo never", JAVA_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: Spark needs Java 17 or later and ")
    assert words in done.stderr
    assert "openjdk-17-jre-headless" in done.stderr


def test_java_17_is_taken(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "java", 'echo "openjdk version \\"17.0.15\\" 2025-04-15" >&2')
    assert shell("need_java; echo taken", JAVA_HOME=str(tmp_path)).stdout == "taken\n"


def test_a_python_that_is_too_old_is_one_sentence(tmp_path: Path) -> None:
    program(tmp_path / "python3", 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    done = shell(f"PATH={tmp_path}; python=$(find_python); echo never")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: Python 3.11, 3.12 or 3.13 is needed and none was found on PATH (python3 is Python 3.9.2).\n"
    )


def test_a_python_without_venv_is_one_sentence(tmp_path: Path) -> None:
    # A real one would have it: this one says it is new enough and has no ensurepip.
    case = 'case "$2" in *ensurepip*) exit 1;; *version_info\\[*) echo 3.11;; esac'
    program(tmp_path / "python3", case)
    done = shell(f"VENV={tmp_path}/venv; make_venv; echo never", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "has no venv module: install it (on Debian or Ubuntu: sudo apt-get install python3.11-venv)" in done.stderr


@pytest.mark.parametrize("name", ["scripts/run", "scripts/setup", "scripts/test", ".ci/run"])
def test_a_script_can_be_executed_and_stops_at_its_first_error(name: str) -> None:
    script = ROOT / name
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert subprocess.run(["/bin/bash", "-n", str(script)], timeout=60).returncode == 0
