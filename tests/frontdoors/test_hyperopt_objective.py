"""What calls the user's function: in slots that have nothing of ours installed, and what it leaves for the driver."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hyperopt import Domain, hp

from sparkml_track import objective as objectives
from sparkml_track.executors import Work
from sparkml_track.executors._shipping.work import pack_work
from sparkml_track.frontdoors._hyperopt import objective as module
from sparkml_track.frontdoors._hyperopt.labels import Labels
from sparkml_track.frontdoors._hyperopt.objective import Objective, returned
from sparkml_track.slot.host.folder import Host

SPACE = {"x": hp.uniform("x", 0, 1), "c": hp.choice("c", ["a", {"k": hp.uniform("k", 0, 1)}])}


def described(point: dict[str, Any]) -> dict[str, Any]:
    """Gives back what it got."""
    return {"loss": point["x"], "status": "ok", "point": point}


def objective(function: Any) -> Objective:
    domain = Domain(function, SPACE)
    made = Labels(domain.expr)
    return Objective(domain, made.names, made.options)


@dataclass
class Trial:
    artifact_dir: str = ""
    params: dict[str, Any] = field(default_factory=lambda: {"x": 0.5, "c": "dict(k=k)", "k": 0.25})


def test_it_calls_the_function_with_the_point_and_leaves_the_rest(tmp_path: Path) -> None:
    assert objective(described)(Trial(str(tmp_path))) == {"loss": 0.5}
    kind, result = returned(str(tmp_path)) or ("", {})
    assert kind == "result"
    assert result["point"] == {"x": 0.5, "c": {"k": 0.25}}
    assert list(tmp_path.iterdir()) == [], "it is no artifact"


def test_a_plain_loss_leaves_nothing(tmp_path: Path) -> None:
    assert objective(lambda point: np.float32(0.5))(Trial(str(tmp_path))) == {"loss": 0.5}
    assert returned(str(tmp_path)) is None
    assert returned("") is None


def test_an_exception_is_left_with_its_traceback_and_raised(tmp_path: Path) -> None:
    def fails(point: object) -> float:
        raise OSError(5, "gone")

    with pytest.raises(OSError, match="gone"):
        objective(fails)(Trial(str(tmp_path)))
    _, kind, trace, pickled = returned(str(tmp_path)) or ("",) * 4
    assert (kind, "in fails" in trace) == ("<class 'OSError'>", True)
    assert pickle.loads(pickled).args == (5, "gone")


def test_an_exception_that_cannot_be_pickled_is_left_without_itself(tmp_path: Path) -> None:
    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("one message")

    def fails(point: object) -> float:
        raise Odd(1, 2)

    with pytest.raises(Odd):
        objective(fails)(Trial(str(tmp_path)))
    _, kind, _, pickled = returned(str(tmp_path)) or ("",) * 4
    assert "Odd" in kind and pickled is None


def test_a_result_over_the_limit_is_an_error_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMIT", 1000)
    big = objective(lambda point: {"loss": 1.0, "status": "ok", "model": b"x" * 2000})
    with pytest.raises(ValueError, match=r"the objective returned 2,\d\d\d bytes; allowed are 1,000: write files"):
        big(Trial(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_it_has_the_name_and_the_source_of_the_function() -> None:
    for function in (described, partial(described)):
        made = objective(function)
        assert objectives.name_of(made).endswith("test_hyperopt_objective.described")
        assert "Gives back what it got" in objectives.source(made)
        assert objectives.problems(made) == []


SLOT = """
import pickle, sys
sys.modules["sparkml_track"] = None  # not to be imported

class Trial:
    artifact_dir = sys.argv[2]
    params = {"x": 0.5, "c": "a"}

with open(sys.argv[1], "rb") as file:
    work = pickle.load(file)
print(work["objective"](Trial()))
"""


def test_slots_need_nothing_of_ours(tmp_path: Path) -> None:
    host = Host("deadbeef", home=True)
    try:
        packed = pack_work(Work(objective(described)), host.folder, remote=True)
        (blob,) = (path for path in Path(host.folder).rglob(f"*{packed.work}*") if path.is_file())
        done = subprocess.run([sys.executable, "-c", SLOT, str(blob), str(tmp_path)], capture_output=True, text=True)
    finally:
        host.remove()
    assert (done.stdout.strip(), done.returncode) == ("{'loss': 0.5}", 0), done.stderr
    assert (returned(str(tmp_path)) or ("", {}))[1]["point"] == {"x": 0.5, "c": "a"}
