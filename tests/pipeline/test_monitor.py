"""The step of monitoring, run after run: a verdict is passed on, and begins a sweep whose candidate meets the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest

from sparkml_track import schema
from sparkml_track.config.settings import load
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps import run_step
from sparkml_track.pipeline.steps.monitor import Watched
from sparkml_track.tables import DeltaTables
from tests.pipeline.test_lineage import CODE, CONF

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MONITOR = """\
monitor:
  period: month
  min_rows: 10
  psi: 1.0e-9
  alpha: 0.99
  table: shop_monitor
  limits: [auc > 0, auc < 0]
  notify: {file: said.jsonl}
  retrain: {when: [quality], warm_start: false, max_trials: 1}
"""


@pytest.mark.spark
@pytest.mark.slow
def test_a_verdict_is_passed_on_once_and_begins_a_sweep_under_the_gate(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "shop_code.py").write_text(CODE)
    (tmp_path / "conf.yaml").write_text(CONF.partition("monitor:")[0] + MONITOR)
    settings = load(tmp_path / "conf.yaml", {})
    for step in ("prepare", "features", "sweep", "register", "score"):
        run_step(step, settings)
    first = run_step("monitor", settings)
    assert isinstance(first, Watched)
    assert "auc > 0: triggered (notified: file)" in first.changed
    assert str(first.retrained["retrain"]).startswith("auc is 0.")
    assert "is version" not in str(first.retrained)
    swept = json.loads(settings.home.step("shop", "sweep").read_text())
    client = mlflow.MlflowClient(settings.home.tracking_uri)
    assert client.get_run(swept["run"]).data.tags[schema.TAG_RETRAIN].startswith("monitoring said: auc is 0.")
    versions = client.search_model_versions("name = 'shop_model'")
    assert len(versions) == 2

    second = run_step("monitor", settings)
    assert isinstance(second, Watched)
    assert second.changed == ()
    assert "less than a month ago" in str(second.retrained["retrain"])
    rows = DeltaTables(settings.home.tables_root).to_arrow("shop_monitor_drift").to_pandas()
    assert rows.groupby("run_id").size().nunique() == 1
    assert set(rows["run_id"]) == {first.standing.run, second.standing.run}
    assert Project(settings).kept(Watched).standing == second.standing
