"""``sparkml-track score``, also of rows as they come."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from sparkml_track.config.settings import load
from sparkml_track.registries import MlflowRegistry, Run
from sparkml_track.tables import DeltaTables
from tests.calls import Call, caller
from tests.scoring.test_flow import fitted, rows

CONF = """\
name: front
home: state
sweep:
  objective: front_code:train
  max_trials: 1
  space: {x: {uniform: [0, 10]}}
register: {model: delay, refit: a:b, baselines: a:b, inputs: a:b, evaluate: a:b}
"""


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    return caller("score", capsys)


def conf(folder: Path, text: str) -> str:
    (folder / "conf.yaml").write_text(CONF + text)
    return str(folder / "conf.yaml")


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", [], "there is no section 'score'"),
        ("score: {}\n", ["--every", "3"], "--every is for --stream"),
        ("score: {}\n", ["--stream"], "there is no section 'score.stream'"),
        ("score: {stream: {}}\n", ["--stream"], "either 'source', a table, or 'files', a folder"),
        ("score: {stream: {files: in, format: csv}}\n", ["--stream"], "with 'columns', for csv files do not say"),
        ("score: {stream: {source: a, format: csv}}\n", ["--stream"], "which are for files alone"),
    ],
)
def test_wrong_input_is_one_sentence_before_spark_starts(
    call: Call, tmp_path: Path, text: str, options: list[str], said: str
) -> None:
    code, _, err = call("--config", conf(tmp_path, text), *options)
    assert (code, said in err) == (2, True), err


@pytest.mark.spark
def test_what_came_is_scored_once(call: Call, tmp_path: Path, spark: SparkSession) -> None:
    file = conf(tmp_path, "score: {stream: {files: incoming, table: found}}\n")
    home = load(file).home
    registry = MlflowRegistry(home.tracking_uri, str(home.artifacts))
    registry.register("delay", fitted(), Run("model", "m", "tests"))
    registry.set_alias("delay", "champion", 1)
    assert "there is no folder" in call("--config", file, "--stream")[2]
    (tmp_path / "incoming").mkdir()
    assert "no .parquet file" in call("--config", file, "--stream")[2]
    pq.write_table(rows(10), tmp_path / "incoming" / "1.parquet")
    assert call("--config", file, "--stream")[1] == "scored 10 rows by version 1: found@v0 has them\n"
    pq.write_table(rows(15).slice(10), tmp_path / "incoming" / "2.parquet")
    assert call("--config", file, "--stream")[1] == "scored 5 rows by version 1: found@v1 has them\n"
    assert call("--config", file, "--stream")[1] == "scored 0 rows: found@v1 has them\n"
    found = DeltaTables(home.tables_root).to_arrow("found")
    assert sorted(found["flight"].to_pylist()) == list(range(15))
