"""The lineage of columns of what is written from data frames of Spark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.catalog.queries.ask import Catalog
from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> DeltaTables:
    made = DeltaTables(Home.find(tmp_path / "home").make().tables, spark)
    made.write("flights", pa.table({"id": [1, 2], "day": ["a", "b"], "delay": [3.0, 40.0]}), partition_by=("day",))
    made.write("weather", pa.table({"day": ["a", "b"], "wind": [1.0, 2.0]}))
    return made


def of(tables: DeltaTables, name: str, version: int) -> dict[str, str] | None:
    """Each column of a version with what it is of: "flights@0.delay weather@0.day"."""
    found: dict[str, set[str]] = {}
    rows = Catalog(Home.find(Path(str(tables.root)).parent)).system.rows("column_lineage").to_pylist()
    for row in rows:
        if (row["target_full_name"], row["target_version"]) == (f"main.default.{name}", version):
            each = found.setdefault(row["target_column_name"], set())
            if row["source_full_name"] is not None:
                source = row["source_full_name"].rpartition(".")[2]
                each.add(f"{source}@{row['source_version']}.{row['source_column_name']}")
    return {column: " ".join(sorted(each)) for column, each in found.items()} or None


def test_what_is_written_says_of_which_columns_it_is(tables: DeltaTables) -> None:
    flights: Any = tables.read("flights")
    joined = flights.join(tables.read("weather"), "day").selectExpr("id", "delay * wind AS risk", "1 AS one")
    tables.write("risks", joined)
    days = "flights@0.day weather@0.day"
    assert of(tables, "risks", 0) == {
        "id": f"flights@0.day flights@0.id {days.rpartition(' ')[2]}",
        "risk": "flights@0.day flights@0.delay weather@0.day weather@0.wind",
        "one": days,
    }


def test_a_partition_column_is_of_its_table(tables: DeltaTables) -> None:
    tables.write("days", tables.read("flights").select("day"))
    assert of(tables, "days", 0) == {"day": "flights@0.day"}


def test_an_append_keeps_what_was_there_and_an_overwrite_does_not(tables: DeltaTables) -> None:
    rows = tables.read("flights").select("delay")
    tables.write("kept", rows)
    tables.write("kept", tables.read("weather").selectExpr("wind AS delay"), mode="append")
    assert of(tables, "kept", 1) == {"delay": "kept@0.delay weather@0.wind"}
    tables.write("kept", rows, mode="overwrite")
    assert of(tables, "kept", 2) == {"delay": "flights@0.delay"}


def test_what_cannot_say_it_leaves_its_columns_unknown(spark: SparkSession, tables: DeltaTables) -> None:
    tables.write("copied", tables.to_arrow("flights"))
    tables.write("cut", tables.read("flights").localCheckpoint())
    tables.merge("weather", tables.read("weather"), keys=("day",))
    tables.write("wind", pa.table({"wind": [3.0]}))
    tables.read("wind")
    both = [*tables.files("copied"), *tables.files("wind")]
    tables.read("copied")
    tables.write("both", spark.read.option("mergeSchema", "true").parquet(*both))
    written = (("copied", 0), ("cut", 0), ("weather", 1), ("both", 0))
    assert [of(tables, *each) for each in written] == [None] * 4


def test_a_file_beside_the_home_is_no_table(spark: SparkSession, tables: DeltaTables, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    tables.read("flights")
    tables.write("outside", spark.read.parquet(str(tmp_path / "x.parquet")))
    assert of(tables, "outside", 0) == {"x": ""}
