"""``keep="best:K"``: all trials have child runs, and those of the best have artifacts."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.publishing.best_trials import TopPublisher, Wanted
from sparkml_track.engine.publishing.publisher import Publisher
from sparkml_track.engine.results.history import History
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import SparkmlError, SpecError, TrackingUnavailable
from sparkml_track.goal import Goal
from sparkml_track.journals import Record, open_journal, read
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.testing.trackers import sample_child, sample_parent
from sparkml_track.trackers import ChildRun, MemoryRun, MemoryTracker, open_tracker
from sparkml_track.trial import State
from tests.faults.driver import DEFAULTS
from tests.faults.here import Moments, sweep

pytestmark = pytest.mark.slow


class Stop(BaseException):
    """Ends a sweep as the death of its driver would."""


def die() -> None:
    raise Stop


def objective(trial: Any) -> float:
    (Path(trial.artifact_dir) / "note.txt").write_text(f"of trial {trial.number}")
    if trial.number == 2:
        raise ValueError("no")
    trial.report({"loss": 99.0}, step=1)
    return float("nan") if trial.number == 3 else float(trial.params["x"] ** 2)


KEEP = {"tracking": Tracking(keep="best:3"), "max_trials": 12, "objective": objective}


def best(result: Any, most: int = 3) -> set[int]:
    finished = [one for one in result.trials if one.value and one.value[0] == one.value[0]]
    return {one.number for one in sorted(finished, key=lambda one: one.value[0])[:most]}


def notes(home: Path) -> set[int]:
    """The trials whose child runs have artifacts; each has its own and nobody else's."""
    found = {path.parent.parent.name: path.read_text() for path in (home / "artifacts").rglob("note.txt")}
    (name,) = names(home)
    with closing(open_tracker(None, home)) as tracker:
        run_id = tracker.find(name)
        assert run_id is not None
        numbers = {child.run_id: child.number for child in tracker.children(run_id)}
    assert found == {run: f"of trial {numbers[run]}" for run in found}
    return {numbers[run] for run in found}


def names(home: Path) -> list[str]:
    return [path.name for path in (home / "journal").iterdir() if path.is_dir()]


def left(home: Path) -> set[int]:
    """The accepted trials whose artifacts are on the driver."""
    (name,) = names(home)
    bodies: list[Any] = [record.body for record in read(home, name) if record.kind == "accepted"]
    return {body["n"] for body in bodies if Path(body.get("artifacts", "/nowhere")).exists()}


def whole(home: Path) -> None:
    (name,) = names(home)
    assert sum(assert_accounting(home, name)[state] for state in ("finished", "failed")) == 12
    assert verify(name, home=home).differences == []
    assert left(home) == set(), "what the others left is gone"


def test_all_have_child_runs_and_the_best_have_artifacts(home: Path) -> None:
    result = sweep(home, **KEEP)
    assert notes(home) == best(result)
    assert not (home / "spool" / result.sweep).exists()
    whole(home)


def slow(trial: Any) -> float:
    time.sleep(0.1)
    return objective(trial)


def test_artifacts_of_others_go_while_the_sweep_runs(home: Path) -> None:
    seen: list[set[int]] = []
    moments = Moments().at("received", 12, lambda: seen.append(left(home)))
    moments.at("closing", 1, lambda: seen.append(left(home)))
    result = sweep(home, moments, **{**KEEP, "objective": slow, "parallelism": 2})
    during, at_the_end = seen
    assert len(during) <= 3 + 4, "beyond the best, those of the last moment"
    assert at_the_end == best(result)


def test_with_maximize_the_largest_are_the_best(home: Path) -> None:
    result = sweep(home, direction="maximize", **KEEP)
    finished = [one for one in result.trials if one.value and one.value[0] == one.value[0]]
    largest = sorted(finished, key=lambda one: -one.value[0])[:3]  # type: ignore[index]
    assert notes(home) == {one.number for one in largest}


def test_of_the_best_with_child_runs_some_have_artifacts(home: Path) -> None:
    tracking = Tracking(child_runs="top:5", keep="best:2")
    result = sweep(home, **{**KEEP, "tracking": tracking})
    with closing(open_tracker(None, home)) as tracker:
        assert {child.number for child in tracker.children(result.run_id)} == best(result, 5)
    assert notes(home) == best(result, 2)
    assert verify(result.sweep, home=home).differences == []
    assert left(home) == set()


DEATHS = [("received", 9), ("accepted", 11), ("closing", 1), ("published", 1), ("parent ended", 1)]


@pytest.mark.parametrize("moment", DEATHS)
def test_resumed_after_a_death_the_best_of_all_have_artifacts(moment: tuple[str, int], home: Path) -> None:
    with pytest.raises((Stop, SparkmlError)):
        sweep(home, Moments().at(*moment, die), **KEEP)
    result = sweep(home, **KEEP)
    assert notes(home) == best(result)
    whole(home)
    assert not (home / "spool" / result.sweep).exists(), "nor is anything left of attempts that were not accepted"


def test_artifacts_of_an_interrupted_end_stay(home: Path) -> None:
    def interrupt() -> None:
        raise SparkmlError("the executor is gone")

    with pytest.raises(SparkmlError):
        sweep(home, Moments().at("received", 6, interrupt), **KEEP)
    (name,) = names(home)
    first = notes(home)
    assert len(first) == 3
    assert verify(name, home=home).differences == []
    result = sweep(home, **KEEP)
    assert result.sweep == name
    assert notes(home) == first | best(result)
    whole(home)
    assert not (home / "spool" / name).exists(), "nor is anything left of attempts that were not accepted"


@pytest.mark.parametrize("moment", [("closing", 1), ("published", 1), ("received", 9)])
def test_repair_gives_the_best_their_artifacts(moment: tuple[str, int], home: Path) -> None:
    with pytest.raises((Stop, SparkmlError)):
        sweep(home, Moments().at(*moment, die), **KEEP)
    (name,) = names(home)
    repaired = verify(name, home=home, repair=True)
    assert repaired.differences == []
    results = {int(body["n"]): body for body in (r.body for r in read(home, name) if r.kind == "accepted")}  # type: ignore[call-overload]
    losses = {n: body["metrics"]["loss"] for n, body in results.items() if body["state"] == "finished"}  # type: ignore[index]
    ranked = sorted((loss, n) for n, loss in losses.items() if loss == loss)
    assert notes(home) == {n for _, n in ranked[:3]}
    assert left(home) == set()
    again = verify(name, home=home, repair=True)
    assert (again.differences, list(again.repaired)) == ([], [])
    # What is executed again takes its place.
    result = sweep(home, **KEEP) if moment[0] == "received" else None
    if result is not None:
        assert best(result) <= notes(home)
        whole(home)


@pytest.mark.parametrize("repair", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_child_runs_that_ended_before_a_death_get_artifacts_after_it(told: bool, repair: bool, home: Path) -> None:
    with pytest.raises(Stop):
        sweep(home, Moments().at("closing", 1, die), **KEEP)
    (name,) = names(home)
    held = left(home)
    assert len(held) == 3
    past = History.of(read(home, name), keep=True)
    with closing(open_tracker(None, home)) as tracker:
        run_id = tracker.find(name)
        assert run_id is not None
        tracker.publish(run_id, [replace(past.child(number), artifacts=None) for number in past.results])
    if told:
        with closing(open_journal(home, name)) as journal:
            journal.append([Record("published", {"n": list(past.results)})])
    assert notes(home) == set()
    if repair:
        repaired = verify(name, home=home, repair=True)
        assert "added the artifacts of 3 trials to their child runs" in repaired.repaired
    else:
        sweep(home, **KEEP)
    assert notes(home) == held
    whole(home)


def test_a_resumed_sweep_keeps_the_choice_it_began_with(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 6, die), **KEEP)
    result = sweep(home, **{**KEEP, "tracking": Tracking()})
    assert "keep stays 'best:3', as the sweep began" in caplog.text
    assert notes(home) == best(result)


# -- the publisher, without a sweep


def child(number: int, loss: float, folder: Path, state: State = State.FINISHED) -> ChildRun:
    where = folder / f"{number}.0.1"
    where.mkdir(parents=True)
    (where / "note.txt").write_text(f"of trial {number}")
    return replace(sample_child(number, state), metrics={"loss": loss}, artifacts=where)


def test_what_waits_for_the_store_still_is_published_whole(tmp_path: Path) -> None:
    runs: dict[str, MemoryRun] = {}
    away = [True]

    def interrupt(moment: str) -> None:
        if moment == "before publish" and away:
            raise TrackingUnavailable("away")

    tracker = MemoryTracker(runs, interrupt)
    run_id, _ = tracker.start(sample_parent())
    publisher = TopPublisher(Publisher(tracker, run_id, lambda _: None), Wanted(None, 2, Goal()))
    for number, loss in enumerate((3.0, 1.0, 2.0, 1.0)):
        publisher.put(child(number, loss, tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.0.1", "3.0.1"]
    away.clear()
    assert publisher.close(10.0) == 0
    children = {one.number: runs[one.run_id] for one in tracker.children(run_id)}
    assert sorted(children) == [0, 1, 2, 3]
    assert {number for number, run in children.items() if "note.txt" in run.artifacts} == {1, 3}
    for number, run in children.items():
        assert run.metrics["loss"] == (3.0, 1.0, 2.0, 1.0)[number]
        assert run.artifacts["log.txt"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", [State.FAILED, State.PRUNED, State.KILLED])
def test_only_finished_trials_keep_artifacts(state: State, tmp_path: Path) -> None:
    tracker = MemoryTracker()
    run_id, _ = tracker.start(sample_parent())
    publisher = TopPublisher(Publisher(tracker, run_id, lambda _: None), Wanted(None, 2, Goal()))
    publisher.put(child(0, 0.0, tmp_path, state))
    assert list(tmp_path.iterdir()) == []
    assert publisher.close(10.0) == 0
    assert [one.state for one in tracker.children(run_id)] == [state]


# -- refusals


def refused(tracking: Tracking, **more: object) -> str:
    given = {**DEFAULTS, "objective": objective, "space": {"x": st.uniform(0, 1)}, "tracking": tracking}
    given |= {"resources": st.Resources(), "failures": st.Failures(), **more}
    with pytest.raises(SpecError) as caught:
        check(SweepArguments(**given))
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize("wrong", ["best:0", "best:", "best:x", "best", "top:3", "none", "", "best:-1", "best:3 ", 3])
def test_another_word_is_refused_with_those_allowed(wrong: Any) -> None:
    said = refused(Tracking(keep=wrong), max_trials=0)
    assert f"keep is {wrong!r}; allowed are 'all' and 'best:K' with K from 1 to 999999" in said
    assert "max_trials is 0" in said, "all problems at once"


def test_with_several_metrics_there_are_no_best(home: Path) -> None:
    said = refused(Tracking(keep="best:3"), metric=("a", "b"))
    assert said == "keep is 'best:3', which takes one metric; take 'all'"


@pytest.mark.parametrize(
    ("child_runs", "way_out"),
    [("none", "take child_runs='all' or 'top:5'"), ("top:3", "take keep='best:3', or child_runs='all' or 'top:5'")],
)
def test_artifacts_without_a_child_run_are_refused(child_runs: str, way_out: str) -> None:
    said = refused(Tracking(None, child_runs, "best:5"))
    assert said.startswith("keep is 'best:5', but child_runs")
    assert said.endswith(way_out)


def test_a_sweep_whose_journal_is_gone_goes_on(home: Path) -> None:
    with pytest.raises((Stop, SparkmlError)):
        sweep(home, Moments().at("parent ended", 1, die), **KEEP)
    (name,) = names(home)
    first = notes(home)
    shutil.rmtree(home / "journal")
    result = sweep(home, **{**KEEP, "max_trials": 12}, resume=name)
    assert result.sweep == name
    assert notes(home) == first == best(result)
    assert verify(name, home=home).differences == []
