"""What a driver leaves that was killed: the same call goes on or says why not, and no run stays RUNNING."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
import optuna
import pytest
from hyperopt import hp, rand
from mlflow import MlflowClient
from mlflow.entities import Run
from sklearn.base import BaseEstimator, ClassifierMixin

from sparkml_track import schema
from sparkml_track.cli.app import main
from sparkml_track.errors import DataError, LeaseHeld, ResumeRefused, SpecError
from sparkml_track.frontdoors._hyperopt.kept import Kept
from sparkml_track.frontdoors.hyperopt import SparkTrials, fmin
from sparkml_track.frontdoors.optuna import optimize
from sparkml_track.frontdoors.sklearn import SparkSearchCV
from sparkml_track.testing.accounting import assert_accounting
from tests.clusters import ROOT

TRIALS = 8
SPACE = hp.uniform("x", -3, 3)


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """Gets a file for each execution."""
    folder = tmp_path / "executions"
    folder.mkdir()
    return folder


# -- searches, which a script starts in a process that the fourth execution kills


def note(folder: str, driver: int | None) -> None:
    Path(folder, uuid.uuid4().hex).touch()
    if driver and len(os.listdir(folder)) == 4:
        os.kill(driver, signal.SIGKILL)
        time.sleep(60)


def spark_trials(folder: str, driver: int | None, **named: Any) -> Any:
    def objective(x: float) -> dict[str, Any]:
        note(folder, driver)
        return {"loss": (x - 1) ** 2, "status": "ok", "note": f"at {x}"}

    trials = SparkTrials(1, executor="processes" if driver else "inline", **named)
    rstate = np.random.default_rng(3)
    hyperopt.fmin(objective, SPACE, rand.suggest, TRIALS, trials=trials, rstate=rstate, show_progressbar=False)
    return trials


def spark_trials_named(folder: str, driver: int | None) -> Any:
    return spark_trials(folder, driver, name="prices", points_to_evaluate=[{"x": 0.5}])


def own_fmin(folder: str, driver: int | None, **named: Any) -> None:
    def objective(x: float) -> float:
        note(folder, driver)
        return (x - 1) ** 2

    fmin(
        objective,
        SPACE,
        rand.suggest,
        TRIALS,
        rstate=np.random.default_rng(3),
        show_progressbar=False,
        executor="inline",
        parallelism=1,
        **named,
    )


def own_fmin_named(folder: str, driver: int | None) -> None:
    own_fmin(folder, driver, name="prices")


def own_fmin_saving(folder: str, driver: int | None) -> None:
    own_fmin(folder, driver, trials_save_file=str(Path(folder).parent / "trials.pkl"))


def study(folder: str, driver: int | None) -> None:
    def objective(trial: Any) -> float:
        note(folder, driver)
        return float(trial.suggest_float("x", -3, 3) ** 2)

    made = optuna.create_study(storage=f"sqlite:///{folder}/../study.db", study_name="prices", load_if_exists=True)
    optimize(made, objective, n_trials=TRIALS, n_jobs=1, executor="inline")


class Noting(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, worth: float = 0.0, folder: str = "", driver: int | None = None) -> None:
        self.worth, self.folder, self.driver = worth, folder, driver

    def fit(self, X: Any, y: Any) -> Noting:  # noqa: N803
        self.classes_ = np.unique(y)
        note(self.folder, self.driver)
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        return np.full(len(X), self.classes_[0])

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        return self.worth


def fit(folder: str, driver: int | None) -> None:
    rows = np.arange(20.0).reshape(-1, 1)
    SparkSearchCV(
        Noting(folder=folder, driver=driver),
        {"worth": [n / 10 for n in range(TRIALS // 2)]},
        cv=2,
        executor="inline",
        parallelism=1,
        log_model=False,
        refit=False,
    ).fit(rows, np.arange(20) % 2)


def serve() -> None:
    """Makes a fork for each line on stdin, which searches; answers with its exit code."""
    import sparkml_track.engine.run
    import sparkml_track.trackers._mlflow.opening  # noqa: F401

    for line in sys.stdin:
        search, folder, home = line.rstrip("\n").split("\t")
        pid = os.fork()
        if not pid:
            os.environ["SPARKML_HOME"] = home
            globals()[search](folder, os.getpid())
            os._exit(0)
        print("EXIT", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


Killed = Callable[[Callable[..., object]], None]


@pytest.fixture(scope="module")
def drivers() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what a driver does."""
    code = f"from {__name__} import serve; serve()"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, env=environ) as process:
        yield process


@pytest.fixture
def killed(drivers: subprocess.Popen[str], noted: Path, home: Path) -> Killed:
    """Runs a search in a driver, which is killed."""

    def kill(search: Callable[..., object]) -> None:
        assert drivers.stdin is not None and drivers.stdout is not None
        drivers.stdin.write(f"{search.__name__}\t{noted}\t{home}\n")
        drivers.stdin.flush()
        said = next(line for line in drivers.stdout if line.startswith("EXIT"))
        assert said == f"EXIT {-signal.SIGKILL}\n"

    return kill


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def parents(home: Path) -> list[Run]:
    """The parent runs, the oldest first."""
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    ids = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(ids, f"tags.`{schema.TAG_KIND}` = 'sweep'")
    return sorted(found, key=lambda run: run.info.start_time)


# -- the same call again


@pytest.mark.slow
def test_spark_trials_with_a_name_go_on_with_what_they_had(killed: Killed, noted: Path, home: Path) -> None:
    killed(spark_trials_named)
    assert [run.info.status for run in parents(home)] == ["RUNNING"]
    trials = spark_trials_named(str(noted), None)
    assert len(list(noted.iterdir())) in (TRIALS + 1, TRIALS + 2)  # the fourth again
    points = [document["misc"]["vals"]["x"][0] for document in trials.trials]
    rstate = np.random.default_rng(3)
    plain = hyperopt.Trials()
    hyperopt.fmin(lambda x: x, SPACE, rand.suggest, TRIALS - 1, trials=plain, rstate=rstate, show_progressbar=False)
    assert points == [0.5, *(document["misc"]["vals"]["x"][0] for document in plain.trials)]
    assert [result["note"] for result in trials.results] == [f"at {x}" for x in points]
    first, second = parents(home)
    assert (first.info.status, second.info.status) == ("KILLED", "FINISHED")
    for run in (first, second):
        assert_accounting(home, run.data.tags[schema.TAG_SWEEP])
    again = spark_trials_named(str(noted), None)
    assert (len(again), again.argmin, len(parents(home))) == (TRIALS, trials.argmin, 2)


@pytest.mark.slow
@pytest.mark.parametrize("search", [own_fmin_named, own_fmin_saving, study])
def test_the_same_call_goes_on_where_the_search_lasts(
    search: Callable[..., None], killed: Killed, noted: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed(search)
    search(str(noted), None)
    lost = 1 if search is study else 0  # the study starts as many trials as the call says
    assert len(list(noted.iterdir())) - lost * 3 in (TRIALS + 1, TRIALS + 2)
    assert [run.info.status for run in parents(home)] == ["KILLED", "FINISHED"]
    assert "its parent run ends as killed" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(("search", "way"), [(own_fmin, "fmin(..., name=...)"), (fit, "SparkSearchCV(..., name=...)")])
def test_what_has_no_name_starts_anew_says_so_and_ends_the_run_that_was_left(
    search: Callable[..., None], way: str, killed: Killed, noted: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed(search)
    search(str(noted), None)
    assert len(list(noted.iterdir())) == 4 + TRIALS
    assert [run.info.status for run in parents(home)] == ["KILLED", "FINISHED"]
    for run in parents(home):
        assert_accounting(home, run.data.tags[schema.TAG_SWEEP])
    (said,) = [each.getMessage() for each in caplog.records if "its parent run ends" in each.getMessage()]
    assert way in said


@pytest.mark.slow
def test_the_list_of_sweeps_ends_what_no_call_goes_on_with(
    killed: Killed, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed(fit)
    (sweep,) = (path.name for path in (home / "journal").iterdir() if path.is_dir())
    assert command("verify", sweep) == 3
    assert "its driver died; SparkSearchCV(..., name=...) makes a search that goes on" in capsys.readouterr().out
    assert command("sweeps") == 0
    out, error = capsys.readouterr()
    assert "its parent run ends as killed" in error
    line = next(line for line in out.splitlines() if line.startswith(" Noting-"))
    assert (line.split()[1], " no " in line) == ("killed", True)
    (parent,) = parents(home)
    assert parent.info.status == "KILLED"
    assert_accounting(home, parent.data.tags[schema.TAG_SWEEP])
    assert command("verify", parent.info.run_id) == 0
    assert command("resume", sweep) == 2
    assert "was started by a front door, so this command cannot start it again" in capsys.readouterr().err


# -- names


def test_a_search_that_another_process_is_at_is_refused(home: Path) -> None:
    trials = SparkTrials(1, executor="inline", name="prices")
    with Kept.of("prices").held(), pytest.raises(LeaseHeld, match="the search 'prices' goes on right now"):
        hyperopt.fmin(lambda x: x, SPACE, rand.suggest, 2, trials=trials, show_progressbar=False)


def test_trials_of_another_space_are_refused_with_both() -> None:
    def searched(space: Any) -> None:
        trials = SparkTrials(1, executor="inline", name="prices")
        hyperopt.fmin(lambda x: x, space, rand.suggest, 2, trials=trials, show_progressbar=False)

    searched(SPACE)
    with pytest.raises(ResumeRefused, match=r"its space is another one: it was .*uniform\(-3.*uniform\(-4"):
        searched(hp.uniform("x", -4, 3))


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 201, 3])
def test_a_name_that_no_folder_may_have_is_refused(name: Any) -> None:
    with pytest.raises(SpecError, match="allowed are at most 200 letters"):
        SparkTrials(1, executor="inline", name=name)


def test_a_name_beside_trials_that_are_a_search_of_their_own_is_refused() -> None:
    for trials in (SparkTrials(1, executor="inline"), hyperopt.trials_from_docs([])):
        if not isinstance(trials, SparkTrials):
            fmin(lambda x: x, SPACE, rand.suggest, 1, trials=trials, executor="inline", show_progressbar=False)
        with pytest.raises(SpecError, match="name is given beside trials"):
            fmin(lambda x: x, SPACE, rand.suggest, 1, trials=trials, name="prices", show_progressbar=False)


def test_a_file_that_is_not_a_trial_is_named(home: Path) -> None:
    folder = home / "hyperopt" / "prices"
    folder.mkdir(parents=True)
    (folder / ".00000001.pkl.77").write_bytes(b"half")  # of a driver that died while it wrote
    SparkTrials(1, executor="inline", name="prices")
    (folder / "00000001.pkl").write_bytes(b"half")
    with pytest.raises(DataError, match=r"00000001\.pkl .*remove this file to go on without the trial"):
        SparkTrials(1, executor="inline", name="prices")


def test_what_failed_counts_and_what_a_limit_reached_is_not_searched_again() -> None:
    def searched(**limits: Any) -> SparkTrials:
        def objective(x: float) -> float:
            if x > 0:
                raise ValueError("unlucky")
            return x

        trials = SparkTrials(1, executor="inline", name="prices", **limits)
        rstate = np.random.default_rng(3)
        hyperopt.fmin(objective, SPACE, rand.suggest, 8, trials=trials, rstate=rstate, show_progressbar=False)
        return trials

    first = searched()
    assert 0 < first.count_failed_trials() < 8
    again = searched()
    assert again.sweep_result is None
    assert again.count_failed_trials() == first.count_failed_trials()
    assert again.argmin == first.argmin


def test_attachments_come_back(home: Path) -> None:
    def objective(x: float) -> dict[str, Any]:
        return {"loss": x, "status": "ok", "attachments": {"model": b"weights"}}

    def searched(most: int) -> SparkTrials:
        trials = SparkTrials(1, executor="inline", name="prices")
        hyperopt.fmin(objective, SPACE, rand.suggest, most, trials=trials, show_progressbar=False)
        return trials

    searched(2)
    trials = searched(3)
    assert [trials.trial_attachments(each)["model"] for each in trials.trials] == [b"weights"] * 3
