"""The benchmarks of searching: what they say of figures, and that a failure costs no more than itself."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in [name for name in sys.modules if name.startswith("search")]:
        del sys.modules[name]


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def row(mine: list[float], other: list[float], problem: str = "one") -> dict[str, Any]:
    quality = module("search_quality")
    return {
        "sampler": "tpe",
        "problem": problem,
        "seeds": len(mine),
        "wins": quality._wins(mine, other),
        "p_worse": quality._p_worse(mine, other),
        "all": [mine, other],
    }


LOW, HIGH = [float(value) for value in range(20)], [float(value) for value in range(100, 120)]


def test_a_sampler_that_is_worse_is_found_on_each_problem_and_on_all_together() -> None:
    found = module("search_quality").pooled([row(HIGH, LOW, "worse"), row(LOW, LOW, "same")])
    assert found["z"] < 0
    assert found["p_worse"] < 0.05
    assert found["problems_worse"] == ["worse"]


def test_a_sampler_that_is_better_is_not_called_worse() -> None:
    found = module("search_quality").pooled([row(LOW, HIGH)])
    assert found["z"] > 0
    assert found["p_worse"] > 0.95
    assert found["problems_worse"] == []


def test_equal_samplers_are_not_called_worse() -> None:
    assert module("search_quality").pooled([row(LOW, LOW)])["p_worse"] == pytest.approx(0.5)


def test_a_verdict_says_what_is_met_missed_or_incomplete(capsys: pytest.CaptureFixture[str]) -> None:
    search, quality = module("search"), module("search_quality")
    search.judge("a", quality.pooled([row(LOW, HIGH)]), "")
    search.judge("b", quality.pooled([row(HIGH, LOW)]), "")
    search.judge("c", quality.pooled([row(LOW, HIGH)]), "3 searches are missing")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "VERDICT a: met",
        "VERDICT b: MISSED",
        "VERDICT c: INCOMPLETE (3 searches are missing)",
    ]
    assert lines[1].endswith("worse on one")


def called(tasks: list[str], until: str) -> dict[str, str]:
    """What a run in a process of its own, which multiprocessing leaves a helper to, says of expressions."""
    program = (
        "import sys, json; from search_workers import results\n"
        f"found = results(eval, json.loads(sys.argv[1]), processes=2, longest=2.0, until={until})\n"
        "print(json.dumps([(task, str(value)) for task, value in found]))"
    )
    given = [sys.executable, "-c", program, json.dumps(tasks)]
    done = subprocess.run(given, cwd=FOLDER, capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


def test_a_call_that_fails_dies_or_hangs_costs_its_own_result_only() -> None:
    hang, die = "__import__('threading').Event().wait()", "__import__('os')._exit(3)"
    assert called(["1 + 1", "1 / 0", hang, "2 + 2", die, "3 + 3"], "float('inf')") == {
        "1 + 1": "2",
        "1 / 0": "Failed(why='ZeroDivisionError: division by zero')",
        hang: "Failed(why='took longer than 2 s')",
        "2 + 2": "4",
        die: "Failed(why='its process died with exit code 3')",
        "3 + 3": "6",
    }


def test_no_call_is_begun_when_the_time_is_over() -> None:
    assert called(["1"], "0.0") == {}


def test_a_workload_that_fails_is_a_row_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    pruning = module("search_pruning")

    def no_data() -> dict[str, Any]:
        raise OSError("the data is gone")

    broken = [pruning.Workload(name, {}, float, no_data) for name in ("one", "two")]
    monkeypatch.setattr(pruning, "WORKLOADS", broken)
    rows = list(pruning.compare(1, 1))
    assert [(each["workload"], each["failed"]) for each in rows] == [
        ("one", "OSError: the data is gone"),
        ("two", "OSError: the data is gone"),
    ]


def test_points_of_a_grid_are_their_own_nearest_and_all_that_is_searched_is_near_one() -> None:
    problems, space = module("search_problems"), module("sparkml_track.space")
    for real in problems._REAL:
        keys = [problems._key(point) for point in real.points()]
        assert len(set(keys)) == len(keys)
        assert [problems._key(problems._nearest(real.space, point)) for point in real.points()] == keys
        ours, rng = space.parse(problems.for_us(real.space)), Random(0)
        assert {problems._key(problems._nearest(real.space, ours.sample(rng))) for _ in range(300)} <= set(keys)


def test_a_figure_of_a_real_problem_is_the_same_when_it_is_measured_again() -> None:
    problems = module("search_problems")
    for real in problems._REAL:
        point = real.points()[len(real.points()) // 2]
        assert real.model(point) == real.model(point)
