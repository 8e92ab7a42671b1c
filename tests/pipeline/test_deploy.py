"""The step ``deploy`` to tables and streams: the version of an alias scores, and that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.config.settings import Settings, load
from sparkml_track.pipeline.deployment.kept import Deployment, deployed_at, deployments
from sparkml_track.pipeline.lineage import edges_of
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps import follow, run_step, score
from sparkml_track.pipeline.steps.deploy import Deployed
from sparkml_track.pipeline.steps.score import ScoresWritten
from sparkml_track.refs import TableRef
from sparkml_track.registries import MlflowRegistry
from sparkml_track.scoring import Followed, Scored
from tests.serving.models import RUN, package

CONF = """\
name: front
home: state
sweep:
  objective: front_code:train
  max_trials: 1
  space: {x: {uniform: [0, 10]}}
features:
  build: a:b
  label: late
  time: day
  split:
    train: {start: 2012-01-01, end: 2012-02-01}
    valid: {start: 2012-02-01, end: 2012-03-01}
    test: {start: 2012-03-01, end: 2100-01-01}
register: {model: delay, refit: a:b, baselines: a:b, inputs: a:b, evaluate: a:b}
score: {table: scores, stream: {files: incoming, table: found}}
"""


TABLE = TableRef("scores", "/tables/scores", 0)


def settings(folder: Path, to: str, alias: str = "champion") -> Settings:
    (folder / "conf.yaml").write_text(CONF + f"deploy: {{to: {to}, alias: {alias}}}\n")
    return load(folder / "conf.yaml", {})


def registered(made: Settings, pristine: Path) -> MlflowRegistry:
    """Version 1 is champion, 2 challenger."""
    home = made.home.make()
    home.database.write_bytes((pristine / "mlflow.db").read_bytes())
    registry = MlflowRegistry(home.tracking_uri, str(home.artifacts), lineage=False)
    for alias in ("champion", "challenger"):
        registry.set_alias("delay", alias, registry.register("delay", package(), RUN).version)
    return registry


def test_the_version_of_an_alias_goes_to_a_table(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = settings(tmp_path, "table", "challenger")
    registry, home = registered(made, pristine), made.home
    asked = []

    def score_split(_: Project, *what: object) -> Scored:
        asked.append(what)
        return Scored(TABLE, registry.version("delay", 2), "r", 10, {"null": 3}, 0.1, {})

    monkeypatch.setattr(score, "score_split", score_split)
    done = run_step("deploy", made)
    assert asked == [("test", "scores", 2)]
    assert isinstance(done, Deployed)
    assert (done.made.where, done.made.version, done.made.to) == ("scores@v0", 2, "table")
    # What monitoring compares.
    assert Project(made).kept(ScoresWritten).version == 2
    assert deployed_at(registry.tags(registry.version("delay", 2))) == [done.made]
    assert deployments(home, "front") == [done.made]
    assert Project(made).kept(Deployed).made == done.made


def test_what_came_is_scored_by_the_version_of_the_alias(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = settings(tmp_path, "stream")
    registry = registered(made, pristine)
    looked, found = list[str](), TableRef("found", "/tables/found", 3)

    def look(_: Project, alias: str) -> Followed:
        looked.append(alias)
        ref = registry.version("delay", 2)
        some = Followed(found, (registry.version("delay", 1), ref), "r", 2, 10, 1, 0.1)
        return some if len(looked) == 1 else Followed(None, (), "", 0, 0, 0, 0.1)

    monkeypatch.setattr(follow, "_look", look)
    first, second = (run_step("deploy", made) for _ in range(2))
    assert isinstance(first, Deployed)
    assert isinstance(second, Deployed)
    assert (first.made.where, first.made.version, first.facts()["rows"]) == ("found@v3", 2, "10")
    assert (second.made.where, second.made.version) == ("nothing has come yet", 1)
    assert looked == ["champion"] * 2


def test_a_version_is_traced_to_its_endpoint(tmp_path: Path) -> None:
    made = Deployment("front", "endpoint", "http://127.0.0.1:1", "delay", 3, "champion", "now", "me")
    (edge,) = edges_of(Project(settings(tmp_path, "endpoint")), "deploy", Deployed(made))
    assert (str(edge.source), str(edge.target)) == ("model delay@3", "endpoint front")
