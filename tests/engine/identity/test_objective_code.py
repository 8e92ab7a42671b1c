"""What an objective reaches counts, whatever file it is in; what it does not reach may change."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.engine.identity.fingerprint import Fingerprint, differences, fingerprint
from sparkml_track.engine.identity.objective_code import reached
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.objective import resolve
from sparkml_track.space import parse

TRAIN = """\
import functools
import json
import numpy
from dataclasses import dataclass
import helpers
from tools.losses import square
from tools import scale

DEPTHS = (1, 2)
CONFIG = {"rate": 0.1}
UNUSED = 5

@dataclass
class Base:
    width: int = 3

class Model(Base):
    def fit(self, x):
        return beside(x) * self.width

def beside(x):
    return x + 1

def aside(x):
    return x

@functools.lru_cache
def cached(x):
    return x * 3

def train(trial):
    import lazily
    from tools import late
    return Model().fit(square(trial.params["x"])) + helpers.f(1) + DEPTHS[0] + CONFIG["rate"] + scale.by + cached(2)

if __name__ == "__main__":
    print("resume='auto'")
"""

FILES = {
    "train_it.py": TRAIN,
    "helpers.py": "import deeper\ndef f(x): return deeper.g(x)\n",
    "deeper.py": "import os, numpy\ndef g(x): return x\n",
    "lazily.py": "A = 1\nraise RuntimeError('imported')\n",
    "stranger.py": "B = 1\n",
    "tools/__init__.py": "",
    "tools/losses.py": "from . import within\ndef square(x): return x * x\n",
    "tools/within.py": "C = 1\n",
    "tools/scale.py": "by = 2\n",
    "tools/late.py": "import stranger_of_late\n",
    "tools/other.py": "D = 1\n",
    "stranger_of_late.py": "E = 1\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "tools").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    before, path = set(sys.modules), list(sys.path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *path])
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def prints(folder: Path) -> Fingerprint:
    """As a process that begins now has them."""
    for name in [name for name in sys.modules if (folder / f"{name.replace('.', '/')}.py").exists() or name == "tools"]:
        del sys.modules[name]
    return of(resolve("train_it:train", [str(folder)]))


def of(objective: Callable[..., object]) -> Fingerprint:
    return fingerprint(Spec(objective, parse({"x": st.uniform(0, 1)}), "s", "e"), {})


def edited(folder: Path, name: str, old: str, new: str) -> list[str]:
    before = prints(folder)
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new) + "\n")
    return [line.partition(":")[0] for line in differences(before, prints(folder))]


@pytest.mark.parametrize(
    ("file", "old", "new", "name"),
    [
        ("helpers.py", "deeper.g(x)", "deeper.g(x) + 1", "code.modules.helpers"),
        ("deeper.py", "return x", "return -x", "code.modules.deeper"),
        ("lazily.py", "A = 1", "A = 2", "code.modules.lazily"),
        ("tools/losses.py", "x * x", "x * x * x", "code.modules.tools.losses"),
        ("tools/within.py", "C = 1", "C = 2", "code.modules.tools.within"),
        ("tools/scale.py", "by = 2", "by = 3", "code.modules.tools.scale"),
        ("tools/late.py", "import", "import os,", "code.modules.tools.late"),
        ("tools/__init__.py", "", "F = 1", "code.modules.tools"),
        ("stranger_of_late.py", "E = 1", "E = 2", "code.modules.stranger_of_late"),
        ("train_it.py", "beside(x) * self.width", "beside(x)", "code.names.Model"),
        ("train_it.py", "width: int = 3", "width: int = 4", "code.names.Base"),
        ("train_it.py", "return x + 1", "return x + 2", "code.names.beside"),
        ("train_it.py", "return x * 3", "return x * 4", "code.names.cached"),
        ("train_it.py", '{"rate": 0.1}', '{"rate": 0.2}', "code.names.CONFIG"),
        ("train_it.py", "(1, 2)", "(2, 2)", "code.names.DEPTHS"),
    ],
)
def test_an_edit_of_what_the_objective_reaches_is_told_by_name(
    folder: Path, file: str, old: str, new: str, name: str
) -> None:
    assert edited(folder, file, old, new) == [name]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stranger.py", "B = 1", "B = 2"),
        ("tools/other.py", "D = 1", "D = 2"),
        ("train_it.py", "UNUSED = 5", "UNUSED = 6"),
        ("train_it.py", "def aside(x):\n    return x", "def aside(x):\n    return -x"),
        ("train_it.py", "resume='auto'", "resume='never'"),
    ],
)
def test_an_edit_of_what_it_does_not_reach_is_none(folder: Path, file: str, old: str, new: str) -> None:
    assert edited(folder, file, old, new) == []


def test_nothing_is_imported_and_packages_do_not_count(folder: Path) -> None:
    objective = resolve("train_it:train", [str(folder)])
    before = set(sys.modules)
    found = reached(objective)
    assert set(sys.modules) == before
    users = {name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in FILES}
    assert set(found.modules) == users - {"train_it", "stranger", "tools.other"}


def test_it_takes_less_than_fifty_milliseconds(folder: Path) -> None:
    objective = resolve("train_it:train", [str(folder)])
    times = []
    for _ in range(5):
        began = time.process_time()
        reached(objective)
        times.append(time.process_time() - began)
    assert min(times) < 0.05, times


def test_it_is_the_same_in_every_process_and_from_a_script(folder: Path) -> None:
    code = (
        "import json\nfrom sparkml_track.engine.identity.objective_code import reached\n"
        "found = reached(train)\nprint(json.dumps([found.names, found.modules]))\n"
    )
    (folder / "script.py").write_text(TRAIN.partition("if __name__")[0] + code)

    def told(command: list[str], seed: str) -> str:
        env = {"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": f"{folder}:{Path(st.__file__).parent.parent}"}
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True, env=env)
        return done.stdout

    script = [str(folder / "script.py")]
    assert told(script, "1") == told(script, "2")
    typed = (
        "def train(trial):\n return [x for x in range(3) if trial in {'a', 'b', 'c', 'd'}] + [lambda: {'e', 'f'}]\n"
        + code
    )
    assert told(["-c", typed], "1") == told(["-c", typed], "2")


class Given:
    def __init__(self, given: Callable[..., object]) -> None:
        self.given = given

    def __call__(self, trial: Any) -> object:
        return self.given(trial)

    def method(self, trial: Any) -> object:
        return under(trial)


def under(trial: Any) -> float:
    return 1.0


def test_methods_and_callable_objects_are_followed() -> None:
    assert set(reached(Given(under).method).names) == {"Given.method", "Given", "under"}
    assert set(reached(Given(under)).names) == {"Given", "under"}


def test_what_an_objective_collects_while_it_runs_does_not_count() -> None:
    seen: list[int] = []

    def objective(trial: Any) -> float:
        seen.append(1)
        return under(trial)

    before = of(objective)
    seen.append(2)
    assert differences(before, of(objective)) == []


def test_parts_that_an_older_release_did_not_know_are_no_difference(folder: Path) -> None:
    now = prints(folder)
    old = {part: value for part, value in now.items() if not part.startswith("code.")}
    assert differences(old, now) == []
    assert differences({**old, "code": {**old["code"], "source": "other"}}, now) != []


def test_a_variable_that_is_called_as_an_attribute_is_does_not_count(folder: Path) -> None:
    """As a cell of a notebook that sets ``width`` after the first sweep."""
    (folder / "train_it.py").write_text(TRAIN.replace("UNUSED = 5", "width = 0.93"))
    before = prints(folder)
    (folder / "train_it.py").write_text(TRAIN.replace("UNUSED = 5", "width = 0.94"))
    assert differences(before, prints(folder)) == []


def test_relative_imports_count_in_large_functions(folder: Path) -> None:
    many = "\n".join(f"    a{n} = {n}.5" for n in range(300))
    (folder / "tools" / "scale.py").write_text(f"def large():\n{many}\n    from . import other\n    return other.D\n")
    assert "tools.other" in reached(resolve("tools.scale:large", [str(folder)])).modules
