"""``sparkml-track deploy``: what it refuses, what it reports, and an endpoint from its start to its end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from sparkml_track.config.settings import load
from sparkml_track.journals import alive, started
from sparkml_track.pipeline.deployment.kept import deployed_at
from sparkml_track.promotion import promote
from sparkml_track.registries import MlflowRegistry
from tests.calls import Call, caller
from tests.serving.models import NAME, RUN, ask, package, rows, until

CONF = """\
name: front
home: state
sweep:
  objective: front_code:train
  max_trials: 1
  space: {x: {uniform: [0, 10]}}
"""
REGISTER = f"register: {{model: {NAME}, refit: a:b, baselines: a:b, inputs: a:b, evaluate: a:b}}\n"
ENDPOINT = REGISTER + "deploy: {to: endpoint, endpoint: {port: 0, reload: 0.2, record: false}}\n"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    return caller("deploy", capsys)


def conf(folder: Path, text: str) -> str:
    (folder / "conf.yaml").write_text(CONF + text)
    return str(folder / "conf.yaml")


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", [], "there is no section 'deploy'"),
        ("deploy: {to: endpoint}\n", [], "there is no section 'register', which names the model"),
        (REGISTER + "deploy: {to: table}\n", [], "there is no section 'score', which says which rows"),
        (REGISTER + "deploy: {to: stream}\n", [], "there is no section 'score.stream', which names the source"),
        (REGISTER + "deploy: {to: cloud}\n", [], "must be one of 'table', 'stream' or 'endpoint', not 'cloud'"),
        (REGISTER + "deploy: {to: table, endpoint: {}}\n", [], "without 'endpoint', which is for endpoints"),
        (
            REGISTER + "deploy: {to: endpoint, endpoint: {routes: {x: 1}}}\n",
            [],
            "endpoint.routes have the alias 'champ",
        ),
        (REGISTER + "deploy: {to: endpoint, endpoint: {prt: 1}}\n", [], "did you mean 'port'?"),
        (ENDPOINT, ["--status", "--end"], "--status and --end were given; give one of them"),
        (ENDPOINT, ["--quiet", "--json"], "--quiet and --json exclude each other"),
        (ENDPOINT, ["--config", "again.yaml"], "2 config files were given; give one"),
    ],
)
def test_wrong_input_is_one_sentence(call: Call, tmp_path: Path, text: str, options: list[str], said: str) -> None:
    code, _, err = call(conf(tmp_path, text), *options)
    assert (code, said in err) == (2, True), err


def test_no_file_is_one_sentence(call: Call) -> None:
    assert call()[2] == "error: no config files were given; give one: sparkml-track deploy CONFIG"


def test_before_the_first_deployment_there_is_nothing(call: Call, tmp_path: Path, pristine: Path) -> None:
    file = conf(tmp_path, ENDPOINT)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mlflow.db").write_bytes((pristine / "mlflow.db").read_bytes())
    assert call(file, "--status") == (0, "last: nothing was deployed yet\n", "")
    assert json.loads(call(file, "--status", "--json")[1]) == {"last": None, "endpoint": None}
    assert call(file, "--end")[1] == "no endpoint of project 'front' runs\n"
    code, _, err = call(file)
    assert (code, "has the alias 'champion', so there is nothing to deploy; run the step register" in err) == (1, True)


@pytest.mark.slow
def test_an_endpoint_from_its_start_to_its_end(
    call: Call, capsys: pytest.CaptureFixture[str], tmp_path: Path, pristine: Path
) -> None:
    file = conf(tmp_path, ENDPOINT)
    home = load(file).home.make()
    home.database.write_bytes((pristine / "mlflow.db").read_bytes())
    models = MlflowRegistry(home.tracking_uri, str(home.artifacts), lineage=False)
    first, second = (models.register(NAME, package(sign), RUN) for sign in (1.0, -1.0))
    promote(models, first)

    def served() -> dict[str, object]:
        found: dict[str, object] = json.loads(call(file, "--status", "--json")[1])["endpoint"]
        return found

    try:
        code, out, err = call(file)
        assert (code, err) == (0, "")
        assert "deploy model: delay version 1 (champion)" in out
        endpoint = served()
        pid, url = int(str(endpoint["pid"])), str(endpoint["url"])
        assert (endpoint["state"], endpoint["versions"]) == ("alive", {"champion": 1})
        assert ask(url, rows()).json["model"] == {"name": NAME, "version": 1, "alias": "champion"}

        promote(models, second)
        code, out, _ = call(file)
        assert f"process: {pid}, found running" in out
        assert ask(url, rows()).json["model"]["version"] == 2
        (made,) = deployed_at(models.tags(second))
        assert (made.project, made.to, made.where) == ("front", "endpoint", url)

        assert caller("models", capsys)("rollback", NAME, "--config", file)[0] == 0
        until(lambda: ask(url, rows()).json["model"]["version"] == 1)

        start = started(pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid, start))
        code, out, err = call(file, "--status")
        assert code == 1
        assert f"process {pid}, since" in out
        assert f"the endpoint (process {pid}) is gone; start another one" in err
        assert f"serving {NAME} on {url}" in err
        assert call(file)[0] == 0
        assert served()["pid"] != pid
    finally:
        assert call(file, "--end")[0] == 0
    assert served() is None
