"""A verdict begins a sweep once a period, whatever is killed; the parent run says why it began."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mlflow
import pytest

from sparkml_track import schema
from sparkml_track.catalog.alerts.alert import Notify
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.config.sections import RetrainSettings
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import ConfigError, SetupError
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.retraining import again
from sparkml_track.pipeline.retraining.decision import decide
from sparkml_track.pipeline.retraining.notified import notify_changes
from sparkml_track.pipeline.retraining.record import Record, read_record, write_record
from sparkml_track.pipeline.retraining.standing import Standing
from sparkml_track.pipeline.steps import run_step
from sparkml_track.pipeline.steps.monitor import Watched
from sparkml_track.tables import DeltaTables
from tests.calls import Call, caller

NOW = datetime(2024, 5, 20, tzinfo=UTC)
WIND = "wind has drifted since 2024-03 (PSI 0.41)"
DRIFTED = Standing("run-1", "score", {"wind": WIND}, ("gust",), {"auc < 0.7": "auc is 0.61 in 2024-04 (auc < 0.7)"})
CONF = """\
name: front
home: state
code: [code]
sweep:
  objective: retrain_code:train
  sampler: tpe
  executor: inline
  parallelism: 1
  seed: 3
  max_trials: 4
  space: {x: {uniform: [0, 10]}}
monitor:
  retrain: {when: [wind], at_most: week, steps: [sweep], max_trials: 2}
"""


@pytest.fixture
def settings(home: Path) -> Settings:
    """A project whose sweep has run, and whose monitoring has found something."""
    (home / "code").mkdir()
    (home / "code" / "retrain_code.py").write_text("def train(trial):\n    return float(trial.params['x'])\n")
    (home / "state").mkdir()
    (home / "mlflow.db").rename(home / "state" / "mlflow.db")
    (home / "conf.yaml").write_text(CONF)
    made = load(home / "conf.yaml", {})
    Project(made).keep(Watched((), {}, {}, "r" * 32, DRIFTED))
    return made


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    return caller("retrain", capsys)


def record(**changes: object) -> Record:
    return replace(Record(1, NOW - timedelta(days=2), WIND, "run-0", None, (), True), **changes)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ decisions


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (("any",), WIND),
        (("wind",), WIND),
        (("quality",), "auc is 0.61 in 2024-04 (auc < 0.7)"),
        (("wind", "quality"), f"{WIND}; auc is 0.61 in 2024-04 (auc < 0.7)"),
    ],
)
def test_what_the_file_names_calls_for_it(when: tuple[str, ...], why: str) -> None:
    found = decide(RetrainSettings(when=when), DRIFTED, None, NOW)
    assert (found.begin, found.why) == (True, why)


def test_what_it_does_not_name_does_not() -> None:
    found = decide(RetrainSettings(when=("score", "gust")), DRIFTED, None, NOW)
    assert (found.begin, found.why) == (False, "nothing of score, gust calls for it")


def test_it_begins_at_most_once_a_period_and_once_for_a_verdict() -> None:
    weekly = RetrainSettings(when=("any",), at_most="week")
    found = decide(weekly, DRIFTED, record(), NOW)
    assert not found.begin
    assert "less than a week ago" in found.why
    assert decide(weekly, DRIFTED, record(at=NOW - timedelta(days=7)), NOW).begin
    same = decide(weekly, DRIFTED, record(at=NOW - timedelta(days=99), run="run-1"), NOW)
    assert (same.begin, same.why) == (False, f"retraining 1 was begun by this verdict already: {WIND}")


def test_one_that_has_not_ended_goes_on_whatever_the_verdict_says() -> None:
    found = decide(RetrainSettings(), Standing("run-2", "score"), record(ended=False), NOW)
    assert (found.begin, found.goes_on) == (True, record(ended=False))


def test_a_record_is_read_as_it_was_written_and_rubbish_is_named(tmp_path: Path) -> None:
    path = tmp_path / "steps" / "retrain.json"
    assert read_record(path) is None
    write_record(path, record(done=("sweep",)))
    assert read_record(path) == record(done=("sweep",))
    for rubbish in ("", "{", "[]", '{"number": 1}', "\x00", json.dumps({"at": "2024-01-01", "done": []})):
        path.write_text(rubbish)
        with pytest.raises(SetupError, match="the record of the last retraining, cannot be read"):
            read_record(path)


# ------------------------------------------------------------------------------------------------ sweeps


def test_the_sweep_is_warm_started_and_its_run_says_why_it_began(settings: Settings, call: Call) -> None:
    run_step("sweep", settings)
    first = json.loads(settings.home.step("front", "sweep").read_text())
    code, out, _ = call(str(settings.file), "--dry-run")
    assert (code, out.strip()) == (0, f"retraining (dry run): {WIND}")
    code, out, _ = call(str(settings.file))
    assert code == 0
    assert f"retraining: {WIND}" in out
    second = json.loads(settings.home.step("front", "sweep").read_text())
    run = mlflow.MlflowClient(settings.home.tracking_uri).get_run(second["run"])
    assert run.data.tags[schema.TAG_RETRAIN] == f"monitoring said: {WIND}"
    assert "it began because monitoring said: wind has drifted" in run.data.tags["mlflow.note.content"]
    kept = read_record(settings.home.step("front", "retrain"))
    assert kept is not None
    assert (kept.warm_start, kept.ended, kept.number) == (first["sweep"], True, 1)
    code, out, _ = call(str(settings.file))
    assert (code, out.strip()) == (0, f"no retraining: retraining 1 was begun by this verdict already: {WIND}")


def test_a_retraining_that_was_killed_goes_on_with_the_same_sweep(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(step: str, given: Settings) -> None:
        run_step(step, given)
        raise KeyboardInterrupt

    monkeypatch.setattr(again, "run_step", killed)
    with pytest.raises(KeyboardInterrupt):
        again.retrain(settings, DRIFTED)
    begun = read_record(settings.home.step("front", "retrain"))
    assert begun is not None
    assert (begun.ended, begun.warm_start) == (False, None)
    monkeypatch.undo()
    # Another verdict does not begin another one before that one has ended.
    done = again.retrain(settings, Standing("run-9", "score"))
    assert done.decision.begin
    ended = read_record(settings.home.step("front", "retrain"))
    assert ended is not None
    assert (ended.number, ended.at, ended.ended) == (1, begun.at, True)
    assert not again.retrain(settings, Standing("run-9", "score")).decision.begin


def test_without_a_section_or_a_step_it_is_refused(settings: Settings) -> None:
    assert settings.monitor is not None
    with pytest.raises(ConfigError, match=r"there is no section monitor\.retrain, which says when"):
        again.retrain(replace(settings, monitor=None), DRIFTED)
    section = settings.monitor.model_copy(update={"retrain": RetrainSettings(when=("wind",))})
    with pytest.raises(ConfigError, match="there is no section 'register', which is one of its steps"):
        again.retrain(replace(settings, monitor=section), DRIFTED)
    assert read_record(settings.home.step("front", "retrain")) is None


# ------------------------------------------------------------------------------------------------ notifications


def test_only_a_changed_state_is_passed_on_and_one_that_failed_is_passed_on_again(tmp_path: Path) -> None:
    system = SystemTables(tmp_path / "system", DeltaTables(tmp_path / "tables"))
    file = tmp_path / "said.jsonl"

    def said(standing: Standing, ways: Notify) -> list[str]:
        return notify_changes(standing, "front.monitor", ways, system)

    missing, there = Notify(file=tmp_path / "no folder" / "said.jsonl"), Notify(file=file)
    calm = Standing("run-2", "score", {}, ("wind", "gust"), {}, ("auc < 0.7",))
    assert said(calm, there) == []
    found = said(DRIFTED, missing)
    assert found[0].startswith("wind: triggered (notified: failed: file")
    assert said(DRIFTED, there) == ["wind: triggered (notified: file)", "auc < 0.7: triggered (notified: file)"]
    assert said(DRIFTED, there) == []
    assert said(calm, there) == ["wind: ok (notified: file)", "auc < 0.7: ok (notified: file)"]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["alert"], line["state"]) for line in lines] == [
        ("front.monitor.wind", "triggered"),
        ("front.monitor.auc < 0.7", "triggered"),
        ("front.monitor.wind", "ok"),
        ("front.monitor.auc < 0.7", "ok"),
    ]
    assert lines[0]["value"] == WIND
