"""A sweep of another home or store is taken over, whole, once, and from where an earlier try ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.engine.audit.load import loaded
from sparkml_track.engine.importing.records import Here
from sparkml_track.engine.importing.source import source_of
from sparkml_track.errors import InvalidInput, LeaseHeld, SpecError
from sparkml_track.journals import open_journal

pytestmark = pytest.mark.slow

SPACE = {"x": st.uniform(0, 1)}


def objective(trial: Any) -> float:
    import mlflow

    x = trial.params["x"]
    mlflow.log_metric("curve", x, step=3)
    mlflow.log_metric("curve", x / 2, step=1)
    mlflow.log_metric("a>b", float("nan"))
    mlflow.log_param("p", "q")
    mlflow.set_tag("who", "me")
    mlflow.log_text("hello", "notes/hello.txt")
    trial.report({"loss": x + 1}, step=0)
    trial.report({"loss": x}, step=1)
    with mlflow.start_run(nested=True, run_name="fold"):
        mlflow.log_metric("f", 1.5, step=2)
        mlflow.log_text("inner", "inner.txt")
        with mlflow.start_run(nested=True, run_name="deep"):
            mlflow.set_tag("depth", "2")
    print("a line of the log")
    if trial.number == 2:
        raise ValueError("never two")
    return float(x)


def search(home: Path, **more: Any) -> st.SweepResult:
    given: Any = {"executor": "processes", "sampler": "random", "seed": 1, "max_trials": 4, "progress": False, **more}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home))
        return st.sweep(objective, SPACE, name="travels", experiment="of-travels", **given)


@pytest.fixture(scope="module")
def made(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, st.SweepResult]:
    home = tmp_path_factory.mktemp("source") / "home"
    home.mkdir()
    shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
    return home, search(home)


@pytest.fixture
def source(made: tuple[Path, st.SweepResult]) -> Path:
    return made[0]


@pytest.fixture
def sweep(made: tuple[Path, st.SweepResult]) -> st.SweepResult:
    return made[1]


def uri_of(home: Path) -> str:
    return f"sqlite:///{home}/mlflow.db"


class Story:
    """All that a person finds of a sweep in a store, without ids of runs."""

    def __init__(self, uri: str, run_id: str) -> None:
        self._client = MlflowClient(uri)
        self.root = self._client.get_run(run_id)

    def whole(self) -> object:
        return self._run(self.root)

    def _run(self, run: Run) -> dict[str, object]:
        query = f"tags.`{schema.TAG_PARENT}` = '{run.info.run_id}'"
        inside = self._client.search_runs([run.info.experiment_id], query)
        return {
            "name": run.info.run_name,
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "params": dict(run.data.params),
            "tags": {name: value for name, value in run.data.tags.items() if not self._differs(name)},
            "metrics": {name: self._points(run, name) for name in run.data.metrics},
            "inputs": sorted(str(one.to_dictionary()) for one in run.inputs.dataset_inputs),
            "files": self._files(run),
            "inside": sorted((self._run(one) for one in inside), key=lambda one: str(one["name"])),
        }

    def _differs(self, tag: str) -> bool:
        return tag in {
            schema.TAG_PARENT,
            schema.TAG_IMPORTED_FROM,
            schema.TAG_IMPORTED_RUN,
            "mlflow.note.content",
            "mlflow.rootRunId",
        }

    def _points(self, run: Run, name: str) -> list[tuple[str, int, int]]:
        points = self._client.get_metric_history(run.info.run_id, name)
        return sorted((str(one.value), one.step, one.timestamp) for one in points)

    def _files(self, run: Run) -> dict[str, bytes]:
        root = Path(run.info.artifact_uri)  # which a run without files does not have
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_sweep_of_another_home_is_taken_over_whole(source: Path, sweep: st.SweepResult, home: Path) -> None:
    done = st.import_sweep(sweep.sweep, source, home=home)
    assert (done.sweep, done.state, done.trials, done.already) == (sweep.sweep, "finished", 4, 0)
    assert (done.nested, done.source_run) == (8, sweep.run_id)
    assert Story(uri_of(home), done.run_id).whole() == Story(uri_of(source), sweep.run_id).whole()
    assert st.verify(sweep.sweep, home=home).differences == []
    here, there = loaded(sweep.sweep, home), loaded(sweep.sweep, source)
    assert here.result.summary == there.result.summary
    assert here.result.run_id == done.run_id != there.result.run_id
    assert here.tracked == uri_of(home)
    assert here.result.report_path.read_bytes() == there.result.report_path.read_bytes()


def test_where_it_came_from_is_said_on_each_run_and_links_lead_to_the_new_ones(
    source: Path, sweep: st.SweepResult, home: Path
) -> None:
    done = st.import_sweep(sweep.run_id, source, home=home)  # by the parent run
    client = MlflowClient(uri_of(home))
    parent = client.get_run(done.run_id)
    runs = client.search_runs([done.experiment_id], f"tags.`{schema.TAG_KIND}` = 'trial'")
    known = {run.info.run_id for run in MlflowClient(uri_of(source)).search_runs([sweep.experiment_id])}
    for run in [parent, *runs]:
        assert run.data.tags[schema.TAG_IMPORTED_FROM] == uri_of(source)
        assert run.data.tags[schema.TAG_IMPORTED_RUN] in known
    note = parent.data.tags["mlflow.note.content"]
    assert not [one for one in known if one in note]
    assert [run for run in runs if f"/experiments/{done.experiment_id}/runs/{run.info.run_id}" in note]


def rows(home: Path) -> list[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(home / "mlflow.db")) as db:
        return sorted(line for line in db.iterdump() if line.startswith("INSERT"))


def journal(home: Path, sweep: str) -> list[bytes]:
    folder = home / "journal" / sweep
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".lease"]


def test_a_second_import_adds_nothing(source: Path, sweep: st.SweepResult, home: Path) -> None:
    st.import_sweep(sweep.sweep, source, home=home)
    before, files = rows(home), sorted(path for path in home.rglob("*") if path.is_file())
    again = st.import_sweep(sweep.sweep, source, home=home)
    assert (again.trials, again.nested, again.records, again.already) == (0, 0, 0, 4)
    assert rows(home) == before
    assert sorted(path for path in home.rglob("*") if path.is_file()) == files


@pytest.mark.parametrize("moment", ["publish", "flush"])
def test_an_import_that_was_killed_is_done_again(moment: str, source: Path, sweep: st.SweepResult, home: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, moment, sweep.sweep, str(source), str(home)], check=False)
    assert killed.returncode == -9
    done = st.import_sweep(sweep.sweep, source, home=home)
    assert done.already == (2 if moment == "publish" else 4)
    assert Story(uri_of(home), done.run_id).whole() == Story(uri_of(source), sweep.run_id).whole()
    assert st.verify(sweep.sweep, home=home).differences == []
    assert list((home / "imports").iterdir()) == [home / "imports" / f"{sweep.sweep}.lock"]


_KILLED = """
import os, signal, sys
from sparkml_track.engine.importing import flow
from sparkml_track.journals._segments import SegmentJournal
from sparkml_track.trackers._mlflow.tracker import MlflowTracker
moment, sweep, source, home = sys.argv[1:]
flow._BATCH = 2
kind = SegmentJournal if moment == "flush" else MlflowTracker
whole = getattr(kind, moment)
def dies(*given):
    if moment == "flush":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = whole(*given)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(kind, moment, dies)
flow.import_sweep(sweep, source, home=home)
"""


def test_an_imported_sweep_goes_on_where_it_is_and_stays_so(source: Path, sweep: st.SweepResult, home: Path) -> None:
    st.import_sweep(sweep.sweep, source, home=home)
    longer = search(home, resume=sweep.sweep, max_trials=6)
    assert (longer.sweep, longer.counts.finished) == (sweep.sweep, 5)
    assert [trial.params for trial in longer.trials[:4]] == [trial.params for trial in sweep.trials]
    again = st.import_sweep(sweep.sweep, source, home=home)
    assert (again.trials, again.records, again.already) == (0, 0, 6)
    assert st.verify(sweep.sweep, home=home).differences == []


def test_what_came_later_at_the_source_is_added(
    source: Path, sweep: st.SweepResult, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    first = search(other, max_trials=2)
    assert st.import_sweep(first.sweep, other, home=home).trials == 2
    search(other, resume=first.sweep, max_trials=3)
    done = st.import_sweep(first.sweep, other, home=home)
    assert (done.trials, done.already) == (1, 2)
    assert st.verify(first.sweep, home=home).differences == []
    search(other, resume=first.sweep, max_trials=4)
    search(home, resume=first.sweep, max_trials=5)
    with pytest.raises(InvalidInput, match="both went on since it was imported"):
        st.import_sweep(first.sweep, other, home=home)


def test_a_store_alone_gives_its_runs_and_the_sweep_is_read_from_them(
    source: Path, sweep: st.SweepResult, home: Path
) -> None:
    done = st.import_sweep(sweep.sweep, uri_of(source), home=home)
    assert (done.trials, done.records) == (4, 0)
    assert Story(uri_of(home), done.run_id).whole() == Story(uri_of(source), sweep.run_id).whole()
    assert loaded(sweep.sweep, home).result.best_value == pytest.approx(sweep.best_value)
    assert search(home, resume=sweep.sweep).best_value == pytest.approx(sweep.best_value)


def test_another_store_than_that_of_the_home_takes_it(
    source: Path, sweep: st.SweepResult, home: Path, tmp_path: Path, pristine: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(pristine / "mlflow.db", elsewhere / "mlflow.db")
    done = st.import_sweep(sweep.sweep, source, home=home, tracking_uri=uri_of(elsewhere))
    assert loaded(sweep.sweep, home).tracked == uri_of(elsewhere)
    assert MlflowClient(uri_of(elsewhere)).get_run(done.run_id).info.status == "FINISHED"
    assert st.verify(sweep.sweep, home=home).differences == []


@pytest.mark.parametrize(
    ("target", "given", "sentence"),
    [
        ("never-was", "{source}", "'never-was' is neither a sweep nor a parent run in"),
        ("{sweep}", "{home}/nothing", "is neither the home of sweeps"),
        ("{sweep}", "sqlite:///{home}/not-there.db", "there is no database file"),
        ("{sweep}", "{home}", "in .* already|is neither a sweep nor a parent run"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence_and_nothing_is_written(
    target: str, given: str, sentence: str, source: Path, sweep: st.SweepResult, home: Path
) -> None:
    names = {"source": source, "home": home, "sweep": sweep.sweep}
    before = rows(home)
    with pytest.raises(InvalidInput, match=sentence) as error:
        st.import_sweep(target.format(**names), given.format(**names), home=home)
    assert "\n" not in str(error.value)
    assert rows(home) == before
    assert not (home / "not-there.db").exists()
    assert not (home / "journal" / sweep.sweep).exists()


def test_a_sweep_is_not_imported_over_another_nor_into_its_own_store(
    source: Path, sweep: st.SweepResult, home: Path
) -> None:
    with pytest.raises(InvalidInput, match=r"already: its parent run is .*, which was made there"):
        st.import_sweep(sweep.sweep, source, home=home, tracking_uri=uri_of(source))
    with pytest.raises(InvalidInput, match="which was made there"):
        st.import_sweep(sweep.sweep, source, home=source)


def test_ids_that_would_name_other_folders_are_not_taken(
    source: Path, sweep: st.SweepResult, home: Path, tmp_path: Path
) -> None:
    forged = tmp_path / "forged"
    shutil.copytree(source, forged)
    client = MlflowClient(uri_of(forged))
    nested = client.search_runs([sweep.experiment_id], f"tags.`{schema.TAG_KIND}` = 'nested'")[0]
    client.set_tag(nested.info.run_id, schema.TAG_NESTED, "../../out")
    done = st.import_sweep(sweep.sweep, uri_of(forged), home=home)
    assert (done.trials, done.nested < 8) == (4, True)
    client.set_tag(sweep.run_id, schema.TAG_SWEEP, "../../out")
    with pytest.raises(InvalidInput, match=r"has the sweep id '\.\./\.\./out'; allowed are"):
        st.import_sweep(sweep.run_id, uri_of(forged), home=tmp_path / "fresh" / "home")
    assert not list(tmp_path.rglob("out*"))


def test_a_sweep_that_runs_is_not_imported(source: Path, home: Path, tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    shutil.copytree(source, busy)
    (name,) = (path.name for path in (busy / "journal").iterdir())
    held = open_journal(busy, name)
    try:
        with pytest.raises(LeaseHeld, match=f"is running: pid {os.getpid()} on host .* Import it when it has ended"):
            st.import_sweep(name, busy, home=home)
    finally:
        held.close()


def test_a_store_whose_secret_is_not_known_is_asked_for(
    source: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    (name,) = (path.name for path in (source / "journal").iterdir())
    records = source_of(name, source).records(name)
    here = Here("r", "1", "postgresql://***@h/db")
    journal = open_journal(secret, name)
    journal.append([here.record(one) for one in records])
    journal.close()
    with pytest.raises(SpecError, match="journals keep no secrets"):
        st.import_sweep(name, secret, home=home)


def logs_a_model(trial: Any) -> float:
    import mlflow
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1 + trial.params["x"]).fit([[0.0], [1.0]], [0, 1])
    mlflow.sklearn.log_model(fitted, name="clf", pip_requirements=["scikit-learn"])  # type: ignore[attr-defined]
    return float(trial.params["x"])


def test_logged_models_come_along_under_their_ids_and_load(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    other = tmp_path / "models"
    monkeypatch.setenv("SPARKML_HOME", str(other))
    given: Any = {"executor": "processes", "sampler": "random", "max_trials": 1, "progress": False}
    result = st.sweep(logs_a_model, SPACE, name="models", **given)
    done = st.import_sweep(result.sweep, other, home=home)
    shutil.rmtree(other)
    client = MlflowClient(uri_of(home))
    (model,) = client.search_logged_models([done.experiment_id])
    (run,) = client.search_runs([done.experiment_id], f"tags.`{schema.TAG_KIND}` = 'trial'")
    assert model.source_run_id == run.info.run_id
    assert [one.model_id for one in run.outputs.model_outputs] == [model.model_id]
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", client.tracking_uri)
    assert mlflow.sklearn.load_model(f"models:/{model.model_id}").predict([[1.0]]) == [1]  # type: ignore[attr-defined]
