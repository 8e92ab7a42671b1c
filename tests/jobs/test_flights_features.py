"""On real flights of six weeks: what a prediction uses was known when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flights import features as flights_features
from flights.features import ENTITIES, training_set
from flights.prepare import raw_tables
from sparkml_track.features import BuiltTrainingSet, build
from sparkml_track.tables import DeltaTables, TableExpectations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

UNTIL = datetime(2013, 2, 12, tzinfo=UTC)
#: Departures at 19:30 and at 06:30 in New York, two hours before: flights are under way, then hardly any.
MOMENTS = [datetime(2013, 1, 31, 22, 30, tzinfo=UTC), datetime(2013, 2, 6, 9, 30, tzinfo=UTC)]


@dataclass(frozen=True)
class World:
    flights: pd.DataFrame
    weather: pd.DataFrame
    planes: pd.DataFrame


@dataclass(frozen=True)
class Built:
    made: BuiltTrainingSet
    rows: pd.DataFrame

    @property
    def features(self) -> pd.DataFrame:
        return self.rows.set_index("flight_id")[list(self.made.features)].sort_index()


@pytest.fixture(scope="module")
def world() -> World:
    """Nullable types keep whole numbers whole where some are missing."""
    raw = {name: table.data for name, table in raw_tables(None).items()}  # type: ignore[arg-type]
    until = pa.scalar(UNTIL, pa.timestamp("us", "UTC"))
    flights = raw["flights"].filter(pc.less(raw["flights"]["sched_dep"], until))
    weather = raw["weather"].filter(pc.less(raw["weather"]["known_at"], until))
    return World(*(table.to_pandas(types_mapper=pd.ArrowDtype) for table in (flights, weather, raw["planes"])))


@pytest.fixture(scope="module")
def run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[[World], Built]:
    def built(world: World) -> Built:
        tables = DeltaTables(tmp_path_factory.mktemp("tables"), spark)
        for name in ("flights", "weather", "planes"):
            rows = pa.Table.from_pandas(getattr(world, name), preserve_index=False)
            tables.write(name, rows)
        made = build(tables, training_set, "training")
        return Built(made, tables.to_arrow(made.ref).to_pandas())

    return built


@pytest.fixture(scope="module")
def base(run: Callable[[World], Built], world: World) -> Built:
    return run(world)


def after(world: World, moment: datetime) -> World:
    """Change every row that was not known at ``moment``, and invent more of them."""
    flights, weather = world.flights.copy(), world.weather.copy()
    asked = flights["sched_dep"] - timedelta(hours=2)
    under_way = (asked <= moment) & ~(flights["arrived_at"] <= moment).fillna(False)
    # Of a flight whose prediction was made, the schedule was known, and nothing of how it went.
    landed = under_way & flights["arrived_at"].notna()
    flights.loc[landed, "arr_delay"] = np.where(flights.loc[landed, "arr_delay"] > 15, 0, 200)
    flights.loc[landed, "arrived_at"] = moment + timedelta(microseconds=1)
    flights.loc[under_way, ["dep_time", "dep_delay", "arr_time", "air_time"]] = 1
    later = asked > moment
    turned = flights.loc[later].iloc[::-1]
    for column in ("carrier", "dest", "tailnum", "distance", "sched_dep_time"):
        flights.loc[later, column] = turned[column].to_numpy()
    flights.loc[later, "arrived_at"] = moment + timedelta(seconds=1)
    flights.loc[later, "arr_delay"] = 99
    more = flights[later].assign(flight_id="more-" + flights.loc[later, "flight_id"])
    values = weather.columns.difference(["origin", "time_hour", "known_at"])
    weather.loc[weather["known_at"] > moment, values] = 13.0
    return World(pd.concat([flights, more], ignore_index=True), weather, world.planes)


def same(left: pd.DataFrame, right: pd.DataFrame) -> pd.Series:
    return ((left == right) | (left.isna() & right.isna())).all(axis=1)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_nothing_after_a_prediction_time_moves_a_feature(
    run: Callable[[World], Built], world: World, base: Built, moment: datetime
) -> None:
    changed = run(after(world, moment))
    asked = base.rows.set_index("flight_id")["prediction_time"].sort_index()
    before = asked[asked <= moment].index
    assert (asked == moment).any()  # the edge itself is among them
    assert len(before) > 20_000
    unmoved = same(base.features.loc[before], changed.features.loc[before])
    assert unmoved.all(), base.features.loc[before][~unmoved].head()
    # And the change was one that later predictions feel.
    soon = asked[(asked > moment) & (asked <= moment + timedelta(hours=3))].index
    columns = [column for column in base.made.features if "_late_" in column]
    assert not same(base.features.loc[soon, columns], changed.features.loc[soon, columns]).any()


def test_past_delays_are_those_of_flights_that_had_arrived(world: World, base: Built) -> None:
    past = world.flights[world.flights["arrived_at"].notna()].copy()
    past["sched_hour"] = past["sched_dep_time"] // 100
    by_id = past.set_index("flight_id")
    for _, row in base.rows.sample(150, random_state=5).iterrows():
        flight, asked = by_id.loc[row["flight_id"]], row["prediction_time"]
        assert asked == flight["sched_dep"] - timedelta(hours=2)
        for entity, (keys, windows) in ENTITIES.items():
            mine = past[np.logical_and.reduce([past[key] == flight[key] for key in keys])]
            for window in windows:
                width = pd.Timedelta(window)
                known = mine[(mine["arrived_at"] > asked - width) & (mine["arrived_at"] <= asked)]
                assert row[f"{entity}_flights_{window}"] == len(known)
                rate = (known["arr_delay"] > 15).mean() if len(known) else np.nan
                assert row[f"{entity}_late_{window}"] == pytest.approx(rate, nan_ok=True)


def test_weather_is_the_last_known_at_the_origin(world: World, base: Built) -> None:
    observed = {origin: rows.sort_values("known_at") for origin, rows in world.weather.groupby("origin")}
    for _, row in base.rows.sample(150, random_state=6).iterrows():
        known = observed[row["origin"]]
        known = known[known["known_at"] <= row["prediction_time"]]
        last = known.iloc[-1] if len(known) else None
        fresh = last is not None and row["prediction_time"] - last["known_at"] <= flights_features.WEATHER_LASTS
        for column in ("temp", "pressure", "visib", "precip"):
            value = last[column] if fresh else None
            assert row[column] == pytest.approx(np.nan if pd.isna(value) else value, nan_ok=True)


def test_every_flight_that_arrived_is_there_once(world: World, base: Built) -> None:
    arrived = world.flights[world.flights["arrived_at"].notna()]
    assert sorted(base.rows["flight_id"]) == sorted(arrived["flight_id"])
    late = dict(zip(arrived["flight_id"], arrived["arr_delay"] > 15, strict=True))
    assert all(row["late"] == late[row["flight_id"]] for _, row in base.rows.iterrows())
    left_out = {"cancelled": world.flights["cancelled"].sum(), "diverted": world.flights["diverted"].sum()}
    assert base.made.dropped == left_out


def test_planes_are_known_by_their_tail_number(world: World, base: Built) -> None:
    planes = world.planes.set_index("tailnum")
    tails = world.flights.set_index("flight_id")["tailnum"]
    for _, row in base.rows.sample(200, random_state=7).iterrows():
        tail = tails[row["flight_id"]]
        plane = planes.loc[tail] if not pd.isna(tail) and tail in planes.index else None
        assert row["seats"] == pytest.approx(np.nan if plane is None else plane["seats"], nan_ok=True)
        built = None if plane is None else plane["year"]
        assert row["plane_age"] == pytest.approx(np.nan if pd.isna(built) else 2013 - built, nan_ok=True)


def test_features_are_numbers_and_name_no_outcome(base: Built) -> None:
    assert all(pd.api.types.is_numeric_dtype(base.rows[name]) for name in base.made.features)
    outcomes = {"late", "arr_delay", "dep_delay", "dep_time", "arr_time", "arrived_at", "air_time", "cancelled"}
    assert not outcomes & set(base.made.features)
    assert not {"month", "year", "day"} & set(base.made.features)


def test_the_versions_it_was_made_from_are_all_named(base: Built) -> None:
    tables = {"flights", "weather", "planes", "origin_weather", "plane_facts"} | {f"{name}_delays" for name in ENTITIES}
    assert set(base.made.tables) == tables
    assert all(ref.version == 0 for ref in base.made.tables.values())


def test_feature_tables_know_their_keys_and_timestamps(base: Built, spark: SparkSession, tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path, spark)
    for entity, (keys, _) in ENTITIES.items():
        info = tables.describe(base.made.tables[f"{entity}_delays"])
        assert info.roles == TableExpectations(keys=keys, timestamp="known_at").roles
