"""Sweeps in the process of the test, with what a test does at their moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sparkml_track as st
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.run import run_sweep
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.engine.surroundings import Surroundings
from tests.faults.driver import DEFAULTS


def square(trial: Any) -> float:
    return float(trial.params["x"] ** 2)


def slow_square(trial: Any) -> float:
    import time

    trial.report({"loss": 9.0}, step=1)
    time.sleep(0.15)
    return float(trial.params["x"] ** 2)


class Moments:
    """Calls what a test set at the n-th time of a moment."""

    def __init__(self, **at: Callable[[], object]) -> None:
        self.seen: Counter[str] = Counter()
        self._at: dict[tuple[str, int], Callable[[], object]] = {}

    def at(self, moment: str, count: int, do: Callable[[], object]) -> Moments:
        self._at[moment, count] = do
        return self

    def __call__(self, moment: str) -> None:
        self.seen[moment] += 1
        self._at.get((moment, self.seen[moment]), lambda: None)()


def sweep(home: Path, moments: Moments | None = None, longest_wait: float = 20.0, **given: Any) -> SweepResult:
    """A sweep of 20 trials in threads of this process, unless told otherwise."""
    given = {
        **DEFAULTS,
        "objective": square,
        "space": {"x": st.uniform(-3, 3)},
        "executor": "inline",
        **given,
    }
    data, listener = given.pop("data", {}), given.pop("listener", None)
    around = Surroundings(
        home=home, data=data, reached=moments or Moments(), longest_wait=longest_wait, listener=listener
    )
    return run_sweep(check(SweepArguments(**given)), around)
