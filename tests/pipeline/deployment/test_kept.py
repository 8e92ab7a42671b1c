"""What is kept of a deployment: a line in the home, a tag of the version, a row of the audit."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track.errors import RegistryError
from sparkml_track.home import Home
from sparkml_track.pipeline.deployment.kept import Deployment, deployed_at, deployments, ended, keep
from tests.serving.models import NAME, registry

MADE = Deployment("front", "endpoint", "http://127.0.0.1:1", NAME, 1, "champion", "2026-01-01T00:00:00+00:00", "me")


def test_it_is_kept_in_all_places_once(tmp_path: Path) -> None:
    home, models = Home(tmp_path), registry()
    ref = models.version(NAME, 1)
    later = replace(MADE, at="2026-01-02T00:00:00+00:00")
    for made in (MADE, later):
        keep(home, made, ref, models)
    assert deployments(home, "front") == [MADE]
    assert deployed_at(models.tags(ref)) == [MADE]
    assert deployed_at(models.tags(models.version(NAME, 2))) == []
    audit = [path.read_text() for path in home.system.rglob("*") if path.is_file() and "DEPLOY" in path.read_text()]
    assert len(audit) == 1


def test_a_version_keeps_its_last_place_of_each_kind(tmp_path: Path) -> None:
    home, models = Home(tmp_path), registry()
    ref = models.version(NAME, 1)
    made = [replace(MADE, where=f"http://127.0.0.1:{port}") for port in range(3)]
    made += [replace(MADE, project=f"other{number}") for number in range(15)]
    for each in made:
        keep(home, each, ref, models)
    tagged = deployed_at(models.tags(ref))
    assert tagged == made[-10:]
    assert deployments(home, "front") == made[:3]


def test_the_version_that_was_there_before_is_there_no_longer(tmp_path: Path) -> None:
    home, models = Home(tmp_path), registry()
    first, second = models.version(NAME, 1), models.version(NAME, 2)
    keep(home, MADE, first, models)
    keep(home, replace(MADE, to="table", where="scores@v0"), first, models)
    keep(home, replace(MADE, version=2, at="2026-01-03T00:00:00+00:00"), second, models)
    assert [each.to for each in deployed_at(models.tags(first))] == ["table"]
    assert [each.version for each in deployed_at(models.tags(second))] == [2]


def test_an_end_is_in_the_audit(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ended(home, "front", "process 7")
    said = "".join(path.read_text() for path in home.system.rglob("*") if path.is_file())
    assert "deployments/front" in said
    assert "process 7 is ended" in said


def test_lines_that_were_cut_short_cost_themselves(tmp_path: Path) -> None:
    home, models = Home(tmp_path), registry()
    file = home.deployment("front") / "history.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(b'{"project": "front", "to": "ta\n\xff\n[]\nnull\n{"proj')
    keep(home, MADE, models.version(NAME, 1), models)
    assert deployments(home, "front") == [MADE]
    assert deployed_at({"sparkml.deployed": "[{"}) == deployed_at({"sparkml.deployed": "7"}) == []


def test_what_cannot_be_kept_is_logged_and_undoes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, models = Home(tmp_path), registry()
    home.deployment("front").parent.mkdir()
    home.deployment("front").write_text("in the way")

    def away(*_: object) -> None:
        raise RegistryError("the store is away")

    monkeypatch.setattr(models, "annotate", away)
    with caplog.at_level(logging.WARNING, "sparkml_track"):
        keep(home, MADE, models.version(NAME, 1), models)
    assert "is not in" in caplog.text
    assert "is not among its tags: the store is away" in caplog.text
