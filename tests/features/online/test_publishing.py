from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.errors import SpecError, TableError
from sparkml_track.features import FeatureStore
from sparkml_track.online_stores import MemoryOnlineStore, open_online_store
from sparkml_track.tables import DeltaTables, MemoryTables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


def weather(spark: SparkSession, *rows: tuple[str, int, float | None]) -> DataFrame:
    made = {
        "origin": pa.array([row[0] for row in rows], pa.string()),
        "known_at": [NOON + timedelta(hours=row[1]) for row in rows],
        "wind": pa.array([row[2] for row in rows], pa.float64()),
    }
    return spark.createDataFrame(pa.table(made))


@pytest.fixture(params=["memory", "delta"])
def store(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> FeatureStore:
    tables = MemoryTables(spark) if request.param == "memory" else DeltaTables(tmp_path / "tables", spark)
    made = FeatureStore(tables)
    rows = weather(spark, ("JFK", 0, 5.0), ("JFK", 2, None), ("EWR", 1, 7.0), ("LGA", 1, 3.0))
    made.create_table("weather", ["origin"], rows, timestamp_key="known_at")
    return made


def winds(online: MemoryOnlineStore, *origins: str) -> list[object]:
    rows = online.get_many("weather", [(origin,) for origin in origins]).rows
    return [row and (row.values["wind"], row.known_at, row.source_version) for row in rows]


def test_the_newest_row_of_each_key_is_published_and_then_what_changed(
    store: FeatureStore, spark: SparkSession
) -> None:
    online = MemoryOnlineStore()
    done = store.publish_table("weather", online)
    assert (done.ref.version, done.rows, done.whole) == (0, 3, True)
    # A null in the newest row is what is known.
    jfk, ewr = (None, NOON + timedelta(hours=2), 0), (7.0, NOON + timedelta(hours=1), 0)
    assert winds(online, "JFK", "EWR", "nowhere") == [jfk, ewr, None]
    # A late row is not the newest; a correction of the newest one is; others stay.
    store.write_table("weather", weather(spark, ("JFK", 1, 9.0), ("EWR", 1, 8.0), ("BOS", 0, 1.0)))
    store.tables.delete("weather", "origin = 'LGA'")
    done = store.publish_table("weather", online)
    assert (done.ref.version, done.rows, done.removed, done.whole) == (2, 3, 1, False)
    found = winds(online, "JFK", "EWR", "LGA", "BOS")
    assert found == [(*jfk[:2], 2), (8.0, ewr[1], 2), None, (1.0, NOON, 2)]
    # Nothing changed, an earlier version, other columns: all rows.
    assert store.publish_table("weather", online, version=0).whole
    assert winds(online, "EWR", "LGA") == [ewr, (3.0, NOON + timedelta(hours=1), 0)]
    store.create_table("weather", ["origin"], weather(spark, ("JFK", 0, 1.0)).drop("known_at"), replace=True)
    done = store.publish_table("weather", online)
    assert (done.rows, done.whole, winds(online, "JFK")) == (1, True, [(1.0, None, 3)])


def test_a_later_version_is_published_than_the_store_has_pinned(store: FeatureStore, spark: SparkSession) -> None:
    other = FeatureStore(store.tables)
    other.read("weather")
    store.write_table("weather", weather(spark, ("JFK", 3, 1.0)))
    assert other.publish_table("weather", MemoryOnlineStore()).ref.version == 1
    assert other.pinned["weather"].version == 0


def test_what_cannot_be_published_is_said(store: FeatureStore, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="nothing"):
        store.publish_table("nothing", MemoryOnlineStore())
    with pytest.raises(SpecError, match="max_age"):
        store.publish_table("weather", MemoryOnlineStore(), max_age=timedelta())
    store.tables.write("raw", pa.table({"v": [1]}))
    with pytest.raises(TableError, match="raw is not a feature table"):
        store.publish_table("raw", tmp_path / "online")
    assert open_online_store(tmp_path / "online").names() == ()


def test_a_table_that_was_made_anew_is_published_whole(store: FeatureStore, spark: SparkSession) -> None:
    """Its versions have the numbers of those that were published, and are others."""
    online = MemoryOnlineStore()
    store.publish_table("weather", online)
    store.drop_table("weather")
    made = FeatureStore(store.tables)
    made.create_table("weather", "origin", weather(spark, ("JFK", 9, 1.0)), timestamp_key="known_at")
    made.write_table("weather", weather(spark, ("BOS", 9, 2.0)))
    done = made.publish_table("weather", online)
    assert (done.ref.version, done.whole) == (1, True)
    found = [row and row[0] for row in winds(online, "JFK", "EWR", "BOS")]  # type: ignore[index]
    assert found == [1.0, None, 2.0]
