"""What a listener is given of a sweep."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.engine.loop.progress import Progress, progress_of
from sparkml_track.goal import Goal
from sparkml_track.objective import Trial


def square(trial: Trial) -> float:
    return float(trial.params["x"]) ** 2


def failing(trial: Trial) -> float:
    raise ValueError("no")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))


def looks_of(objective: object, **more: object) -> list[Progress]:
    looks: list[Progress] = []
    arguments = {"progress": looks.append, "max_trials": 5, "executor": "inline", "sampler": "random", "seed": 1}
    tracking = st.Tracking(uri="memory:")
    st.sweep(objective, {"x": st.uniform(-3, 3)}, name="squares", tracking=tracking, **arguments | more)  # type: ignore[arg-type]  # fmt: skip
    return looks


def test_the_last_look_is_of_the_end() -> None:
    last = looks_of(square)[-1]
    assert (last.name, last.metric, last.planned, last.done, last.finished) == ("squares", "loss", 5, 5, 5)
    assert (last.running, last.waiting, last.busy, last.trials, last.remaining) == (0, 0, 0, (), 0.0)
    assert last.ended
    assert last.best_params is not None
    assert last.best == pytest.approx(last.best_params["x"] ** 2)  # type: ignore[operator]
    assert last.rate == pytest.approx(5 / last.elapsed)


def test_where_all_fail_there_is_no_best() -> None:
    last = looks_of(failing, max_trials=2)[-1]
    assert (last.failed, last.best, last.best_number, last.best_params) == (2, None, None, None)


def test_while_it_runs_slots_trials_and_their_reports_are_known(tmp_path: Path) -> None:
    """The objective goes on when a look has shown its report."""
    seen = tmp_path / "seen"

    def reporting(trial: Trial) -> float:
        import time

        trial.report({"loss": 0.5}, step=3)
        while not seen.exists():
            time.sleep(0.01)
        return 1.0

    looks: list[Progress] = []

    def listen(progress: Progress) -> None:
        looks.append(progress)
        if progress.trials and progress.trials[0].value is not None:
            seen.touch()

    looks_of(reporting, progress=listen, max_trials=1, executor="processes", parallelism=1, timeout=200.0)
    found = next(look for look in looks if look.trials and look.trials[0].value is not None)
    assert (found.running, found.busy, found.slots, found.ended) == (1, 1, 1, False)
    one = found.trials[0]
    assert (one.number, one.value, one.step, list(one.params)) == (0, 0.5, 3, ["x"])
    assert found.remaining is not None
    assert found.remaining <= 200.0


def test_at_its_end_no_trial_waits_for_a_slot() -> None:
    """Those that were open when the last slot was lost wait for nothing any more."""
    spec, slots = SimpleNamespace(name="s", goals=(Goal("loss"),)), SimpleNamespace(there=0, each=1)
    loop: Any = SimpleNamespace(counts=Counter(), best=None, slots=slots, spec=spec, planned=8, elapsed=4.0, note="")
    loop.running, loop.live = 0, {number: object() for number in range(3)}
    ended = progress_of(loop, ended=True)
    assert (ended.waiting, ended.running, ended.remaining, ended.ended) == (0, 0, 0.0, True)
