"""``sparkml-track show``, ``compare``, ``report``, ``export``, ``import``, ``open`` and ``delete``."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

import sparkml_track as st
from sparkml_track.cli.app import main
from sparkml_track.home import Home
from sparkml_track.trackers import open_tracker


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def objective(trial: st.Trial) -> dict[str, float]:
    if trial.number == 2:
        raise ValueError("never [red]two[/red]")
    x = float(trial.params["x"])  # type: ignore[arg-type]
    return {"loss": x * x, "size": float(trial.number)}


def search(home: Path, name: str, **given: Any) -> st.SweepResult:
    space = {"x": st.uniform(-1, 1), "model": st.choice({"kind": "a", "d": 1}, "b")}
    defaults = {"executor": "inline", "sampler": "random", "seed": 1, "max_trials": 6, "progress": False}
    return st.sweep(objective, space, name=name, **{**defaults, **given})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, st.SweepResult, st.SweepResult]]:
    home = tmp_path_factory.mktemp("looked-at") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home))
        yield home, search(home, "first"), search(home, "second", seed=2, sampler="quasi-random", max_trials=4)


@pytest.fixture(autouse=True)
def home(made: tuple[Path, object, object], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(made[0]))
    return made[0]


@pytest.fixture
def first(made: tuple[Path, st.SweepResult, st.SweepResult]) -> st.SweepResult:
    return made[1]


def test_show_says_what_a_sweep_found(first: st.SweepResult, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "show", first.sweep)
    assert code == 0
    assert f"{first.sweep}: finished" in out
    assert "minimize loss; 6 planned, 5 finished, 1 failed" in out
    assert f"parent run {first.run_id}" in out
    assert "trial 2: ValueError: never [red]two[/red]" in out, "nothing of a message is markup"
    rows = [line.split() for line in out.splitlines()]
    best = next(row for row in rows if row[:1] == [str(first.best.number)])
    assert best[1] == f"{first.best_value:.6g}"
    assert any(row[:2] == ["size", "5"] for row in rows)


def test_show_by_the_parent_run_and_for_programs(first: st.SweepResult, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = command(capsys, "show", first.run_id, "--json", "--top", 2)
    facts = json.loads(out)
    assert (facts["sweep"], facts["state"], facts["digest"]) == (first.sweep, "finished", first.summary.digest)
    assert facts["best"]["number"] == first.best.number
    assert len(facts["top"]) == 2
    assert facts["counts"]["finished"] == 5
    assert facts["failures"][0]["examples"][0]["trials"] == [2]
    assert facts["metrics"]["loss"]["p50"] == pytest.approx(first.summary.aggregates["loss"].p50)


def test_a_sweep_whose_journal_is_elsewhere_is_read_from_its_store(
    first: st.SweepResult, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "other"))
    uri = Home.find(home).tracking_uri
    _, out, _ = command(capsys, "show", first.run_id, "--tracking-uri", uri, "--json")
    facts = json.loads(out)
    assert facts["counts"]["finished"] == 5
    assert facts["best"]["number"] == first.best.number
    assert facts["digest"] == first.summary.digest
    assert facts["costs"]["slot_seconds_used"] == pytest.approx(sum(one.duration for one in first.trials), abs=0.02)
    loaded = st.load_sweep(first.sweep, home=tmp_path / "other", tracking_uri=uri)
    assert loaded.best_value == first.best_value
    assert not (tmp_path / "other").exists(), "to look makes nothing"


def pausing(trial: st.Trial) -> float:
    time.sleep(0.02)
    return float(trial.number)


def test_a_price_gives_a_cost_on_the_parent_run_and_to_whoever_asks(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking, uri = st.Tracking(slot_hour_price=36_000.0), Home.find(home).tracking_uri
    given: Any = {"executor": "inline", "sampler": "random", "max_trials": 3, "progress": False}
    result = st.sweep(pausing, {"x": st.uniform(0, 1)}, name="priced", tracking=tracking, **given)
    with closing(open_tracker(None, home)) as tracker:
        parent = tracker.parent(result.run_id)
    used, idle = (parent.metrics[f"slot_seconds_{name}"] for name in ("used", "idle"))
    assert used == pytest.approx(sum(one.duration for one in result.trials))
    assert used > 0.06
    assert idle > 0, "the loop did more than wait for one slot"
    assert parent.metrics["cost"] == pytest.approx(10 * (used + idle))
    assert "at 36000 for a slot's hour" in parent.tags["mlflow.note.content"]
    _, out, _ = command(capsys, "show", result.sweep)
    assert f"cost {parent.metrics['cost']:.6g}, at 36000 for a slot's hour" in out.splitlines()
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "other"))
    _, out, _ = command(capsys, "show", result.run_id, "--tracking-uri", uri, "--json")
    costs = json.loads(out)["costs"]
    assert costs["cost"] == pytest.approx(parent.metrics["cost"], rel=0.5), "times there are milliseconds"
    assert costs["slot_seconds_idle"] == pytest.approx(idle)


def test_without_a_price_nothing_is_said_of_a_cost(
    first: st.SweepResult, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_tracker(None, home)) as tracker:
        parent = tracker.parent(first.run_id)
    assert "cost" not in parent.metrics
    assert "slot_hour_price" not in parent.params
    _, out, _ = command(capsys, "show", first.sweep)
    assert "cost" not in out


def test_a_sweep_is_loaded_as_it_was_returned(first: st.SweepResult, home: Path) -> None:
    again = st.load_sweep(first.sweep)
    assert again == first
    assert again.to_pandas().equals(first.to_pandas())


def test_compare_shows_what_differs(made: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [made[1].sweep, made[2].sweep]
    code, out, _ = command(capsys, "compare", *ids)
    assert code == 0
    assert all(one in out for one in ids)
    different = next(line.split() for line in out.splitlines() if line.split()[:1] == ["sampler"])
    assert different == ["sampler", "random", "quasi-random"]
    _, out, _ = command(capsys, "compare", *ids, "--json")
    found = json.loads(out)
    assert [row["finished"] for row in found["sweeps"]] == [5, 3]
    assert found["different"]["max_trials"] == [6, 4]
    assert "space" not in found["different"]


def test_import_takes_over_a_sweep_of_another_home(
    home: Path,
    first: st.SweepResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    code, out, _ = command(capsys, "import", first.sweep, "--from", home)
    assert (code, f"{first.sweep}, finished: added 6 child runs" in out) == (0, True)
    code, out, _ = command(capsys, "import", first.sweep, "--from", home, "--json")
    done = json.loads(out)
    assert (done["trials"], done["already"], done["records"]) == (0, 6, 0)
    assert (done["sweep"], done["source_run"]) == (first.sweep, first.run_id)
    _, out, _ = command(capsys, "show", first.sweep)
    assert f"parent run {done['run_id']}" in out
    code, out, err = command(capsys, "import", "never", "--from", tmp_path / "nowhere")
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_export_writes_the_trials(first: st.SweepResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ending in ("parquet", "csv", "json"):
        code, out, _ = command(capsys, "export", first.sweep, "-o", tmp_path / f"trials.{ending}")
        assert (code, "6 trials in" in out) == (0, True)
    table = pyarrow.parquet.read_table(tmp_path / "trials.parquet").to_pydict()
    assert table["number"] == [0, 1, 2, 3, 4, 5]
    assert table["state"].count("failed") == 1
    assert table["params.x"] == [one.params["x"] for one in first.trials]
    assert table["metrics.loss"][2] is None
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == table["state"]
    assert len(json.loads((tmp_path / "trials.json").read_text())["data"]) == 6
    code, _, err = command(capsys, "export", first.sweep, "-o", tmp_path / "trials.xlsx")
    assert (code, "allowed are .parquet, .csv, .json" in err) == (2, True)


def test_report_is_drawn_anew(first: st.SweepResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep" / "report.html"
    code, out, _ = command(capsys, "report", first.sweep, "-o", path)
    assert (code, out.strip()) == (0, str(path))
    assert first.sweep in path.read_text()


def reporting(trial: st.Trial) -> dict[str, float]:
    for step in range(3):
        trial.report({"loss": 1.0 / (step + 1)}, step)
    return {"loss": 0.5, "size": float(trial.number)}


def test_the_report_that_is_drawn_anew_has_the_curves_of_the_first(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = {"x": st.uniform(-1, 1)}
    given: Any = {"executor": "inline", "sampler": "random", "max_trials": 4, "progress": False}
    result = st.sweep(reporting, space, name="curves", metric=["loss", "size"], **given)
    command(capsys, "report", result.sweep, "-o", tmp_path / "again.html")
    for path in (result.report_path, tmp_path / "again.html"):
        page = path.read_text()
        assert "<h2>Learning curves</h2><p>loss by step, lower is better" in page
        assert "<h2>Pareto front: loss and size</h2>" in page


def test_open_prints_deep_links(first: st.SweepResult, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = command(capsys, "open", first.sweep, "--port", 5555)
    runs = f"http://127.0.0.1:5555/#/experiments/{first.experiment_id}/runs"
    assert f"run: {runs}/{first.run_id}" in out
    assert f"trials: {runs}\n" in out
    assert "report: file://" in out
    assert "sparkml-track ui --port 5555" in out


def test_what_is_not_a_sweep_is_refused_in_one_sentence(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("show", "compare", "open", "report"):
        code, out, err = command(capsys, name, "nothing")
        assert (code, out) == (2, "")
        assert "'nothing' is neither a sweep in" in err
        assert "Traceback" not in err
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "empty"))
    code, _, err = command(capsys, "show", "nothing")
    assert code == 2
    assert "nothing is tracked there" in err
    assert not (tmp_path / "empty").exists()


def test_delete_asks_and_undo_brings_everything_back(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = search(home, "third", max_trials=4)
    monkeypatch.setattr("sys.stdin", None)
    code, _, err = command(capsys, "delete", sweep.sweep)
    assert (code, "give --yes" in err) == (2, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/another.db")
    code, out, _ = command(capsys, "delete", sweep.sweep, "--yes")
    assert code == 0
    assert f"deleted 5 runs of {sweep.sweep}; `sparkml-track delete --undo {sweep.sweep}` brings them back" in out
    tracker = open_tracker(None, home)
    assert tracker.find(sweep.sweep) is None
    code, out, _ = command(capsys, "delete", "--undo", sweep.sweep, "--json")
    assert (code, json.loads(out)["restored"]) == (0, 5)
    assert tracker.find(sweep.sweep) == sweep.run_id
    assert st.verify(sweep.sweep, home=home).clean
    tracker.close()
