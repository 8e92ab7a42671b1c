"""Which unfinished sweep a call goes on with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import sparkml_track as st
from sparkml_track.engine.recovery import candidates
from sparkml_track.journals import last, sweeps


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    return tmp_path


def search(trials: int, name: str = "mine") -> st.SweepResult:
    return st.sweep(
        lambda trial: trial.params["x"],
        {"x": st.uniform(0, 1)},
        name=name,
        max_trials=trials,
        sampler="random",
        seed=0,
        executor="inline",
        tracking=st.Tracking(uri="memory:"),
        progress=False,
    )


def make_old(home: Path) -> None:
    """As if their last change was long ago."""
    for entry in sweeps(home):
        folder = home / "journal" / entry.sweep
        os.utime(folder, (1.6e9, 1.6e9))


def test_sweeps_that_are_over_are_looked_at_once(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def counted(home: Path, sweep: str) -> object:
        looked.append(sweep)
        return last(home, sweep)

    monkeypatch.setattr(candidates, "last", counted)
    for _ in range(3):
        search(1)
        make_old(state)
    looked.clear()
    search(1)
    assert len(looked) == 1, "the last one only"


def test_sweeps_of_other_names_are_not_looked_at(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search(1, "other")
    looked: list[str] = []
    monkeypatch.setattr(candidates, "last", lambda _, sweep: looked.append(sweep))
    search(1)
    assert looked == []


def test_a_sweep_that_was_over_and_has_another_driver_is_seen_again(state: Path) -> None:
    first = search(1)
    make_old(state)
    search(1)  # knows that the first is over
    folder = state / "journal" / first.sweep
    over = candidates._Over(state, None)
    changed = folder.stat().st_mtime_ns
    assert over.knows(first.sweep, changed)
    (folder / "lease-of-another").touch()
    assert not over.knows(first.sweep, folder.stat().st_mtime_ns)
