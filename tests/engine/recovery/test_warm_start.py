"""Warm start: from a journal, and from the child runs where the journal is gone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.errors import SpecError
from sparkml_track.samplers import Capabilities, Sampler
from sparkml_track.trial import Params, State

SPACE = {"x": st.uniform(-3, 3), "kind": st.choice("a", "b")}


class Learning(Sampler):
    """Keeps what it was told; proposes the same point."""

    capabilities = Capabilities(adaptive=True)

    def __init__(self) -> None:
        self.told: list[tuple[int, Params, State, tuple[float, ...]]] = []

    def ask(self, number: int) -> Params:
        return {"x": 0.0, "kind": "a"}

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        self.told.append((number, params, state, tuple(values)))

    @property
    def known(self) -> list[tuple[int, Params, State, tuple[float, ...]]]:
        return [told for told in self.told if told[0] < 0]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    return tmp_path


def objective(trial: st.Trial) -> dict[str, float]:
    if trial.number == 2:
        raise ValueError("no")
    if trial.number == 3:
        return {"loss": float("nan"), "other": 1.0}
    return {"loss": float(trial.params["x"]) ** 2, "other": 1.0}  # type: ignore[arg-type]


def search(**more: Any) -> st.SweepResult:
    given = {"max_trials": 6, "executor": "inline", "name": "warm", "resume": "never", "seed": 3}
    return st.sweep(objective, more.pop("space", SPACE), **{**given, **more})


def expected(first: st.SweepResult, sign: float = 1.0) -> list[tuple[int, Params, State, tuple[float, ...]]]:
    """Trials 0, 1, 4 and 5 finished with a number."""
    good = [first.trials[number] for number in (0, 1, 4, 5)]
    return [
        (number, one.params, State.FINISHED, (sign * one.metrics["loss"],))
        for number, one in enumerate(good, -len(good))
    ]


@pytest.mark.parametrize("by", ["sweep", "run_id"])
@pytest.mark.parametrize("journal", [True, False])
def test_the_sampler_is_told_what_an_earlier_sweep_found(home: Path, by: str, journal: bool) -> None:
    first = search(sampler="random")
    if not journal:
        shutil.rmtree(home / "journal")
    sampler = Learning()
    second = search(sampler=sampler, warm_start=getattr(first, by), max_trials=2)
    assert sampler.known == expected(first)
    assert sampler.told[:4] == sampler.known, "before anything else"
    assert [trial.number for trial in second.trials] == [0, 1], "they are not trials of this sweep"


def test_what_is_better_turns_round_with_the_direction(home: Path) -> None:
    first = search(sampler="random")
    sampler = Learning()
    search(sampler=sampler, warm_start=first.sweep, direction="maximize")
    assert sampler.known == expected(first, sign=-1.0)


def test_trials_of_another_space_are_left_out(home: Path) -> None:
    first = search(sampler="random")
    sampler = Learning()
    search(sampler=sampler, warm_start=first.sweep, space={**SPACE, "x": st.uniform(-3, 0)})
    assert [params for _, params, _, _ in sampler.known] == [p for _, p, _, _ in expected(first) if p["x"] <= 0]  # type: ignore[operator]
    assert 0 < len(sampler.known) < 4


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"warm_start": "nowhere"}, "allowed is the id of a sweep or of its parent run"),
        ({"warm_start": 3}, "warm_start is 3"),
        ({"warm_start": "FIRST", "space": {"y": st.uniform(0, 1)}}, "none of its 5 finished trials can be used"),
        ({"warm_start": "FIRST", "metric": "speed"}, "none of its 5 finished trials can be used"),
        ({"warm_start": "FIRST", "sampler": "random"}, "sampler 'random' learns nothing from other trials"),
    ],
)
def test_a_warm_start_that_would_do_nothing_is_refused_before_anything_starts(
    home: Path, more: dict[str, object], said: str
) -> None:
    first = search(sampler="random")
    before = sorted((home / "journal").iterdir())
    more = {name: first.sweep if value == "FIRST" else value for name, value in more.items()}
    with pytest.raises(SpecError) as caught:
        search(**{"sampler": "tpe", **more})
    assert said in str(caught.value)
    assert sorted((home / "journal").iterdir()) == before


def test_tpe_goes_on_from_what_is_known_instead_of_starting_at_random(home: Path) -> None:
    def hill(trial: st.Trial) -> float:
        return (float(trial.params["x"]) - 1.5) ** 2  # type: ignore[arg-type]

    given: dict[str, Any] = {"executor": "inline", "resume": "never", "tracking": st.Tracking("memory:", "none")}
    space = {"x": st.uniform(-30, 30)}
    first = st.sweep(hill, space, sampler="random", max_trials=40, seed=1, **given)
    second = st.sweep(hill, space, sampler="tpe", max_trials=10, seed=2, warm_start=first.sweep, **given)
    cold = st.sweep(hill, space, sampler="tpe", max_trials=10, seed=2, **given)

    def middle(result: st.SweepResult) -> float:
        return sorted(abs(float(trial.params["x"]) - 1.5) for trial in result.trials)[5]  # type: ignore[arg-type]

    assert middle(second) < middle(cold) / 2


def test_a_grid_leaves_out_what_is_done(home: Path) -> None:
    grid = {"x": st.quniform(0, 5, 1)}
    first = search(space=grid, sampler="grid", max_trials=2)
    second = search(space=grid, sampler="grid", max_trials=None, warm_start=first.sweep)
    assert [trial.params["x"] for trial in second.trials] == [2.0, 3.0, 4.0, 5.0]
