"""Streams whose driver is killed, really, at both moments that matter: no row is lost or there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkml_track.pipelines import Pipeline
from sparkml_track.tables import DeltaTables
from tests.pipelines.declaring import HEAD, rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

FLOWS = """
@dp.table
@dp.expect_or_quarantine("small", "v < 100")
def events():
    reader = spark.readStream.schema("v long").option("maxFilesPerTrigger", 1)
    return reader.parquet({folder!r})
"""
DRIVER = """
import os, signal, sys
from sparkml_track.api.session import local_or_active
from sparkml_track.config.settings import SparkSettings
from sparkml_track.home import Home
from sparkml_track.pipelines import Pipeline
from sparkml_track.tables import DeltaTables
folder, moment, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
home = Home.find(folder + "/home")
spark = local_or_active(SparkSettings(master="local[1]"), home.make())
tables = DeltaTables(home.tables, spark)
write = tables.write

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(name, data, **how):
    if name != "events" or how["transaction"][1] != batch:
        return write(name, data, **how)
    if moment == "before":
        before = how["before_commit"]
        how["before_commit"] = lambda: (before(), die())
    write(name, data, **how)
    die()

tables.write = dying
Pipeline("p", [folder + "/flow.py"], home, tables).update(spark)
"""


def test_a_driver_killed_before_and_after_a_commit_leaves_each_row_once(tmp_path: Path, spark: SparkSession) -> None:
    import pyarrow.parquet as pq

    (tmp_path / "in").mkdir()
    for number in range(4):
        pq.write_table(rows(number, 10 + number, 100 + number), tmp_path / "in" / f"{number}.parquet")
    (tmp_path / "flow.py").write_text(HEAD + FLOWS.format(folder=str(tmp_path / "in")))
    tables = DeltaTables(tmp_path / "home" / "tables", spark)
    for moment, batch, there in (("before", 1, 1), ("after", 2, 3)):
        command = [sys.executable, "-c", DRIVER, str(tmp_path), moment, str(batch)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        # Readers see whole batches alone.
        assert tables.to_arrow("events").num_rows == 2 * there
    assert Pipeline("p", [tmp_path / "flow.py"], tmp_path / "home", tables).update(spark).failed == ()
    assert sorted(tables.to_arrow("events")["v"].to_pylist()) == [0, 1, 2, 3, 10, 11, 12, 13]
    assert sorted(tables.to_arrow("events_quarantine")["v"].to_pylist()) == [100, 101, 102, 103]
    assert tables.latest("events").version == 3
