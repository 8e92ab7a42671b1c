"""Faults 24, 25, 47, 49, 55 and 57: going on with a sweep, or refusing to."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

import sparkml_track as st
from sparkml_track.engine.audit.facts import facts_of
from sparkml_track.engine.audit.load import loaded
from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.publishing.publisher import Publisher
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.errors import LeaseHeld, ResumeRefused, SparkmlError, SweepStopped
from sparkml_track.journals import read
from sparkml_track.objective import resolve
from sparkml_track.testing.accounting import assert_accounting
from tests.faults.driver import ROOT, Drivers
from tests.faults.here import Moments, slow_square, square, sweep

pytestmark = pytest.mark.slow


class Stop(BaseException):
    """Ends a sweep as the death of its driver would: nothing is written any more."""


def die() -> None:
    raise Stop


def half(home: Path, count: int = 8, **given: Any) -> str:
    """A sweep that was left in the middle; its id."""
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", count, die), **given)
    return newest(home)


def newest(home: Path) -> str:
    return max((path for path in (home / "journal").iterdir() if path.is_dir()), key=lambda p: p.stat().st_mtime).name


def params(home: Path, name: str) -> dict[int, Any]:
    return {r.body["n"]: r.body["params"] for r in read(home, name) if r.kind == "asked"}  # type: ignore[misc]


# -- the same trials


@pytest.mark.parametrize(
    "arguments",
    [
        {"sampler": "grid", "max_trials": None},
        pytest.param({"sampler": "quasi-random"}, marks=pytest.mark.slow),
        {"sampler": "tpe", "deterministic": True, "max_trials": 30},
        pytest.param({"sampler": "optuna-tpe", "deterministic": True, "max_trials": 24}, marks=pytest.mark.slow),
        {"sampler": "random", "seed": None, "max_trials": 12},
    ],
    ids=lambda arguments: "-".join(map(str, arguments.values())),
)
def test_a_resumed_sweep_has_the_trials_of_an_uninterrupted_one(
    arguments: dict[str, Any], drivers: Drivers, tmp_path: Path
) -> None:
    count = 26 if arguments.get("max_trials") == 30 else 10
    assert drivers.drive(crash=("received", count), arguments=arguments)["status"] == -9
    resumed = drivers.drive(arguments=arguments)
    (name,) = drivers.sweeps()
    assert assert_accounting(drivers.home, name)["attempts"] >= 12
    plan: Any = next(read(drivers.home, name)).body
    seed = plan["spec"]["seed"]
    whole = drivers.drive(arguments={**arguments, "seed": seed, "resume": "never"})
    assert whole["digest"] == resumed["digest"]
    first, second = (params(drivers.home, one) for one in (name, whole["sweep"]))
    assert first == second


def reporting(trial: Any) -> float:
    trial.report({"loss": 1.0 / (trial.number + 1)}, 0)
    return 1.0 / (trial.number + 1)


def test_the_report_of_a_resumed_sweep_has_the_curves_of_both_drivers(home: Path) -> None:
    half(home, 4, objective=reporting)
    result = sweep(home, objective=reporting)
    drawn = result.report_path.read_text()
    assert "<h2>Learning curves</h2>" in drawn
    for trial in (0, len(result.trials) - 1):
        assert f'"trial {trial}, finished"' in drawn


def test_a_resumed_sweep_keeps_its_price_and_counts_idle_slots_of_all_drivers(home: Path) -> None:
    priced = {"tracking": Tracking(slot_hour_price=7200.0)}
    first = sweep(home, max_trials=5, **priced)
    before: Any = list(read(home, first.sweep))[-1].body
    sweep(home, resume=first.sweep, max_trials=8, tracking=Tracking())
    (*_, after) = read(home, first.sweep)
    assert after.kind == "ended"
    assert 0 < before["idle"] < after.body["idle"]
    facts = facts_of(loaded(first.sweep, home), 0)
    costs: Any = facts["costs"]
    assert (facts["slot_hour_price"], costs["slot_seconds_idle"]) == (7200.0, after.body["idle"])
    assert costs["cost"] == pytest.approx(2 * (costs["slot_seconds_used"] + costs["slot_seconds_idle"]))


def test_a_repaired_sweep_keeps_the_idle_slots_of_drivers_that_ended(home: Path) -> None:
    first = sweep(home, max_trials=5)
    before: Any = list(read(home, first.sweep))[-1].body
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 2, die), resume=first.sweep, max_trials=9)
    assert loaded(first.sweep, home).costs.idle == before["idle"]
    assert verify(first.sweep, home=home, repair=True).clean
    (*_, after) = read(home, first.sweep)
    assert (after.kind, after.body["idle"]) == ("ended", before["idle"])


def test_signals_end_runs_as_killed_and_the_same_command_goes_on(drivers: Drivers) -> None:
    arguments = {"seconds": 0.4, "max_trials": 10}
    for number, error in ((signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "SystemExit")):
        ended = drivers.drive(crash=("received", 2, number), arguments=arguments)
        assert ended["error"] == error, ended
        (name,) = drivers.sweeps()
        counts = assert_accounting(drivers.home, name)
        assert counts["killed"] >= 1
        assert verify(name, home=drivers.home).differences == []
    assert drivers.left_after(5) == []
    assert drivers.drive(arguments=arguments)["sweep"] == name
    counts = assert_accounting(drivers.home, name)
    assert counts["finished"] + counts["failed"] == 10, "trials that the signal ended were executed again"
    assert verify(name, home=drivers.home).differences == []


def test_a_second_signal_quits_at_once(drivers: Drivers) -> None:
    began = time.monotonic()
    ended = drivers.drive(crash=("submitted", 2, signal.SIGINT, 2), arguments={"seconds": 60.0})
    assert ended["status"] == 130
    assert time.monotonic() - began < 30
    assert drivers.left_after(5) == []


# -- refusals


def test_a_changed_sweep_is_refused_with_all_differences_and_auto_starts_another(home: Path) -> None:
    name = half(home, data={"rows": numpy.arange(10)})
    changed = {
        "space": {"x": st.uniform(-3, 4)},
        "max_trials": 12,
        "data": {"rows": numpy.arange(11)},
        "objective": lambda trial: 2.0 * trial.params["x"],
    }
    with pytest.raises(ResumeRefused) as refused:
        sweep(home, resume=name, **changed)
    text = str(refused.value)
    for part in ("spec.max_trials: was 20, is 12", "space.x.uniform: was [-3", "data.rows: was", "code.source: was"):
        assert part in text
    assert "resume='never'" in text
    assert sweep(home, **changed).sweep != name


def test_a_changed_helper_module_is_refused_by_its_name(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "faults_training.py").write_text("from faults_helping import loss\ndef train(trial): return loss(trial)\n")
    (code / "faults_helping.py").write_text("def loss(trial): return trial.params['x'] ** 2\n")
    monkeypatch.syspath_prepend(str(code))
    train = resolve("faults_training:train", [str(code)])
    name = half(home, objective=train)
    (code / "faults_helping.py").write_text("def loss(trial): return trial.params['x'] ** 4\n")
    with pytest.raises(ResumeRefused, match=r"code\.modules\.faults_helping: was '\w+', is '\w+'"):
        sweep(home, objective=train, resume=name)


def test_data_that_is_computed_anew_and_differs_is_found(home: Path) -> None:
    """As a Spark data frame with rand() in it, or without an order."""
    rng = numpy.random.default_rng()
    name = half(home, data={"train": pandas.DataFrame({"a": rng.random(5)})})
    with pytest.raises(ResumeRefused, match=r"data.train: was '[0-9a-f]{16}', is '[0-9a-f]{16}'"):
        sweep(home, resume=name, data={"train": pandas.DataFrame({"a": rng.random(5)})})


def test_limits_and_places_may_change(home: Path) -> None:
    name = half(home)
    changed = {"timeout": 3600.0, "parallelism": 1, "executor": "processes", "failures": Failures(retries=5)}
    assert sweep(home, **changed).sweep == name
    assert_accounting(home, name)


def test_never_starts_anew_and_an_ended_sweep_is_left_alone_by_auto(home: Path) -> None:
    first = half(home)
    second = sweep(home, resume="never").sweep
    assert second != first
    assert sweep(home).sweep == first
    assert sweep(home).sweep not in (first, second)


def test_a_sweep_is_extended_and_its_first_trials_stay_as_they_are(home: Path) -> None:
    first = sweep(home, max_trials=10)
    with pytest.raises(ResumeRefused, match="max_trials: was 10, is 5"):
        sweep(home, resume=first.sweep, max_trials=5)
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 3, die), resume=first.sweep, max_trials=16)
    last = sweep(home, resume=first.sweep, max_trials=10)  # as it was planned; it goes on to what it was extended to
    assert (last.sweep, last.run_id, last.counts.planned) == (first.sweep, first.run_id, 16)
    assert last.trials[:10] == first.trials
    assert sweep(home, max_trials=16).sweep != first.sweep, "without its id another number is another sweep"
    assert assert_accounting(home, first.sweep)["finished"] == 16


def test_a_sweep_id_that_nobody_knows_is_refused_with_those_there_are(home: Path) -> None:
    name = half(home)
    with pytest.raises(ResumeRefused, match=f"no sweep 'other'.*{name}"):
        sweep(home, resume="other")
    assert not (home / "journal" / "other").exists()


def test_a_live_sweep_is_refused_to_a_second_driver_naming_the_first(home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.faults.here import *\n"
        "def wait():\n print('there', flush=True); sys.stdin.read()\n"
        "sweep(Path(sys.argv[1]), Moments().at('asked', 3, wait))"
    )
    pipe = subprocess.PIPE
    first = subprocess.Popen([sys.executable, "-c", code, str(home)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "there\n"
        for resume in ("auto", newest(home)):
            with pytest.raises(LeaseHeld, match=rf"pid {first.pid} on host"):
                sweep(home, resume=resume)
        with pytest.raises(LeaseHeld, match="A sweep that runs is not repaired"):
            verify(newest(home), home=home, repair=True)
        assert any("still running" in line for line in verify(newest(home), home=home).differences)
        assert sweep(home, name="another", max_trials=2).counts.finished == 2
        assert sweep(home, max_trials=2, seed=8).counts.finished == 2
    finally:
        first.communicate()
    assert first.returncode == 0


# -- losses of other kinds


def test_a_journal_that_is_gone_is_rebuilt_from_the_child_runs(home: Path) -> None:
    space = {"x": st.uniform(-3, 3), "kind": st.choice("1", 1, None, {"deep": st.randint(0, 9)})}
    given = {"space": space, "max_trials": 16}
    whole = sweep(home, resume="never", name="whole", **given)
    with pytest.raises(SparkmlError):
        sweep(home, Moments().at("received", 9, _refuse), **given)
    name = newest(home)
    shutil.rmtree(home / "journal" / name)
    after = Moments()
    result = sweep(home, after, resume=name, **given)
    assert after.seen["accepted"] < 16
    assert result.summary.digest == whole.summary.digest
    assert assert_accounting(home, name)["finished"] == 16
    shutil.rmtree(home / "journal" / name)
    with pytest.raises(ResumeRefused, match="space changed"):
        sweep(home, resume=name, **{**given, "space": {"x": st.uniform(0, 1)}})


def _refuse() -> None:
    raise SparkmlError("the executor is gone")


def test_failed_trials_are_executed_again_only_when_asked_for_and_keep_their_run(home: Path, tmp_path: Path) -> None:
    flag = tmp_path / "mended"

    def objective(trial: Any) -> float:
        if trial.number % 5 == 0 and not Path(flag).exists():
            raise ValueError("not yet")
        return square(trial)

    first = sweep(home, objective=objective)
    assert first.counts.failed == 4
    flag.touch()
    again = sweep(home, objective=objective, resume=first.sweep)
    assert again.counts.failed == 4
    after = Moments()
    last = sweep(home, after, objective=objective, resume=first.sweep, failures=Failures(retry_failed=True))
    assert (after.seen["accepted"], last.counts.finished, last.run_id) == (4, 20, first.run_id)
    assert {trial.attempts for trial in last.trials if trial.number % 5 == 0} == {2}
    assert_accounting(home, first.sweep)
    assert verify(first.sweep, home=home).differences == []


def test_a_sweep_that_stopped_for_failures_goes_on_when_more_are_allowed(home: Path) -> None:
    def objective(trial: Any) -> float:
        if trial.number < 3:
            raise ValueError("a bad start")
        return square(trial)

    with pytest.raises(SweepStopped, match="allowed are 1"):
        sweep(home, objective=objective, failures=Failures(max_failed=1))
    name = newest(home)
    assert sweep(home, objective=objective, failures=Failures(max_failed=9)).sweep == name
    assert_accounting(home, name)


def test_a_thread_that_dies_ends_the_sweep_loudly_and_loses_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Publisher, wait: float) -> float:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "_publish_all", broken)
        with pytest.raises(SparkmlError, match=r"the publisher's thread died: RuntimeError: a defect.*in the journal"):
            sweep(home, max_trials=100_000, longest_wait=1.0)
    name = newest(home)
    assert [r.kind for r in read(home, name)].count("accepted") >= 1
    found = verify(name, home=home, repair=True)
    assert found.differences == []
    assert assert_accounting(home, name)["killed"] <= 5


def test_a_parent_run_that_is_gone_is_published_anew_from_the_journal(home: Path, pristine: Path) -> None:
    name = half(home, count=12)
    elsewhere = f"sqlite:///{shutil.copy(pristine / 'mlflow.db', home / 'other.db')}"
    result = sweep(home, tracking=Tracking(elsewhere))
    assert result.sweep == name
    assert assert_accounting(home, name, elsewhere)["finished"] == 20
    assert verify(name, home=home, tracking_uri=elsewhere).differences == []


def test_verify_lists_what_was_tampered_with(home: Path) -> None:
    from mlflow import MlflowClient

    from sparkml_track.trackers import default_uri

    result = sweep(home, max_trials=5)
    client = MlflowClient(default_uri(home))
    run = client.search_runs([result.experiment_id], "tags.`sparkml.number` = '2'")[0].info.run_id
    client.set_tag(run, "sparkml.state", "failed")
    client.log_metric(run, "loss", 123.0, step=5)
    client.set_tag(result.run_id, "sparkml.digest", "0" * 64)
    client.log_metric(result.run_id, "trials_finished", 4.0, step=1)
    lines = "\n".join(verify(result.sweep, home=home).differences)
    for part in (
        "trial 2: state is 'failed'",
        "trial 2: metric loss is 123.0",
        "its digest is",
        "trials_finished is 4",
    ):
        assert part in lines


def test_the_timeout_of_a_sweep_counts_the_time_of_earlier_drivers(home: Path) -> None:
    name = half(home, objective=slow_square)
    result = sweep(home, objective=slow_square, timeout=1.0)
    assert result.sweep == name
    assert result.counts.finished < 12, "about seven trials took the second"


def test_repair_ends_a_sweep_whose_driver_died_and_a_resume_takes_it_up_again(home: Path) -> None:
    name = half(home)
    assert verify(name, home=home).differences
    repaired = verify(name, home=home, repair=True)
    assert repaired.differences == []
    counts = assert_accounting(home, name)
    assert counts["killed"] >= 1
    assert sweep(home).sweep == name
    assert assert_accounting(home, name)["finished"] == 20


def test_without_child_runs_the_journal_and_the_table_have_all(home: Path) -> None:
    name = half(home, tracking=Tracking(child_runs="none"))
    result = sweep(home, tracking=Tracking(child_runs="none"))
    assert result.sweep == name
    assert verify(name, home=home).differences == []


def test_of_two_that_start_the_same_sweep_at_one_time_one_is_refused(home: Path) -> None:
    together = threading.Barrier(2)
    ended: list[object] = []

    def run() -> None:
        together.wait()
        try:
            ended.append(sweep(home, objective=slow_square, max_trials=10).sweep)
        except LeaseHeld as error:
            ended.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(each).__name__ for each in ended) == ["LeaseHeld", "str"], ended
    assert assert_accounting(home, newest(home))["finished"] == 10


FIXTURE = Path(__file__).parent / "fixtures" / "v1"


def test_a_sweep_that_an_older_release_began_goes_on(home: Path) -> None:
    """The fixture was left by a killed driver; see its README."""
    shutil.copytree(FIXTURE / "journal", home / "journal")
    name = newest(home)
    known = [r.body["n"] for r in read(home, name) if r.kind == "accepted"]
    assert len(known) == 7
    after = Moments()
    result = sweep(home, after, name="fixture")
    assert result.sweep == name
    assert after.seen["accepted"] == 20 - len(known)
    assert assert_accounting(home, name)["finished"] == 20


def test_a_journal_that_is_not_ours_to_read_is_refused_with_a_reason_and_passed_over(home: Path) -> None:
    foreign = ROOT / "tests" / "journals" / "fixtures" / "v1" / "journal" / "flights"
    shutil.copytree(foreign, home / "journal" / "flights", ignore=shutil.ignore_patterns("*.lease"))
    with pytest.raises(SparkmlError, match="not as this release writes it"):
        sweep(home, resume="flights")
    assert sweep(home, name="flights", max_trials=2).sweep != "flights"
