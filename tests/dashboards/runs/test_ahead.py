"""What pages of sweeps show first is there before anybody asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.dashboards import open_page
from sparkml_track.dashboards.runs import ahead
from sparkml_track.dashboards.runs.sweep import page as sweep_page
from sparkml_track.dashboards.runs.sweep.page import Choice, chosen_frame, drawn_view


def train(trial: Any) -> float:
    return float(trial.params["x"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    return tmp_path


def test_a_page_finds_what_was_read_ahead_and_what_changed_is_made_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"max_trials": 6, "sampler": "random", "executor": "inline", "progress": False, "seed": 1}
    sweep = st.sweep(train, {"x": st.uniform(0, 1)}, name="small", **given).sweep
    ahead.read_ahead()

    made: list[str] = []
    for name in ("view", "frame"):
        real = getattr(sweep_page, name)

        def counted(*args: Any, real: Any = real, name: str = name) -> Any:
            made.append(name)
            return real(*args)

        monkeypatch.setattr(sweep_page, name, counted)
    page, choice = open_page("sweep"), Choice(sweep, "loss", "History")
    drawn_view(page, choice)
    assert chosen_frame(page, choice, (), ())["trial"].nunique() == 6
    assert made == []
    assert set(chosen_frame(page, choice, ("failed",), ())["trial"]) == set()
    assert made == ["frame"]
    again = st.sweep(train, {"x": st.uniform(0, 1)}, name="small", resume=sweep, **{**given, "max_trials": 9})
    assert again.sweep == sweep
    assert len(chosen_frame(page, choice, (), ())) == 9, "it went on since"


@pytest.mark.parametrize("rubbish", [False, True])
def test_a_home_that_has_nothing_to_read_is_left_alone(rubbish: bool, home: Path) -> None:
    if rubbish:
        (home / "journal" / "s1").mkdir(parents=True)
        (home / "journal" / "s1" / "00000001-e0001.seg").write_bytes(b"\x00rubbish")
    before = sorted(home.rglob("*"))
    ahead.read_ahead()
    assert sorted(home.rglob("*")) == before


def test_a_sweep_that_cannot_be_drawn_costs_no_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"max_trials": 2, "sampler": "random", "executor": "inline", "progress": False}
    names = [st.sweep(train, {"x": st.uniform(0, 1)}, name=name, **given).sweep for name in ("good", "bad")]
    drawn: list[str] = []

    def draws(_: object, sweep: str) -> None:
        if sweep == names[1]:
            raise ValueError("it cannot")
        drawn.append(sweep)

    monkeypatch.setattr(ahead, "_draw", draws)
    ahead.read_ahead()
    assert drawn == names[:1]
