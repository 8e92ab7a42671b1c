"""What commands that run steps say: to a program, or nothing."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sparkml_track.cli.steps.command import run_steps, steps_of
from sparkml_track.cli.steps.voices import voice_of
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import InvalidInput
from tests.api.progress.looks import look


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a project whose sweep shows two looks at its progress."""

    def run_step(step: str, settings: Settings) -> SimpleNamespace:
        if callable(settings.progress):
            settings.progress(look(running=1))
            settings.progress(look(finished=40, ended=True))
        return SimpleNamespace(facts=lambda: {"trials": "40 finished", "at": Path("here")})

    monkeypatch.setattr("sparkml_track.pipeline.steps.run_step", run_step)
    monkeypatch.setattr("sparkml_track.pipeline.preflight.preflight", lambda *_: None)
    file = tmp_path / "project.yaml"
    file.write_text("name: mine\nhome: home\nsweep: {objective: 'm:f', max_trials: 1, space: {x: {uniform: [0, 1]}}}\n")
    return load(file)


@pytest.mark.parametrize(
    ("deploy", "scores"),
    [(None, True), (("table", "champion"), False), (("table", "rival"), True), (("stream", "champion"), True)],
)
def test_the_champion_is_scored_once_and_another_version_beside_it(
    settings: Settings, deploy: tuple[str, str] | None, scores: bool
) -> None:
    section = None if deploy is None else SimpleNamespace(to=deploy[0], alias=deploy[1])
    steps = steps_of(replace(settings, score=SimpleNamespace(), deploy=section))  # type: ignore[arg-type]
    assert steps == ["sweep", *(["deploy"] if deploy else []), *(["score"] if scores else [])]


def test_prints_of_a_project_do_not_stand_between_lines_of_json(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_step(step: str, settings: Settings) -> SimpleNamespace:
        print("the project says so")
        return SimpleNamespace(facts=dict)

    monkeypatch.setattr("sparkml_track.pipeline.steps.run_step", run_step)
    run_steps(settings, ["sweep"], voice_of(quiet=False, as_json=True))
    out, err = capsys.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["step", "facts"]
    assert "the project says so" in err


def test_json_is_an_object_on_each_line_alone(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    run_steps(settings, ["sweep"], voice_of(quiet=False, as_json=True))
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in lines] == ["step", "progress", "progress", "facts"]
    assert lines[0] == {"event": "step", "step": "sweep", "number": 1, "of": 1}
    assert lines[3]["facts"] == {"trials": "40 finished", "at": "here"}
    assert err == ""


def test_quiet_says_nothing_and_keeps_warnings(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    voice = voice_of(quiet=True, as_json=False)
    assert logging.getLogger("sparkml_track").level == logging.WARNING
    run_steps(settings, ["sweep"], voice)
    assert voice.progress is False
    assert capsys.readouterr() == ("", "")


def test_quiet_and_json_exclude_each_other() -> None:
    with pytest.raises(InvalidInput, match="--quiet and --json exclude each other"):
        voice_of(quiet=True, as_json=True)
