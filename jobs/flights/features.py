"""Feature tables and training set of the flights job: only what is known two hours before the scheduled departure.

A past flight is known once it has arrived, with its delay; cancelled and diverted ones never are. Weather is the last
observation known at the flight's origin, nulls in it included. What is known exactly at the prediction time counts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_track.features import FeatureLookup, FeatureStore, Rolling, TrainingSet, rolling

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["training_set"]

#: A prediction is made this long before the scheduled departure.
LEAD_HOURS = 2
#: Later than this many minutes is late.
LATE = 15
#: Whose past flights are looked at: name to the columns of a flight that name it, and over which windows.
ENTITIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "carrier": (("carrier",), ("1d", "7d", "28d")),
    "route": (("origin", "dest"), ("7d", "28d")),
    "origin_hour": (("origin", "sched_hour"), ("7d", "28d")),
    "dest": (("dest",), ("1d", "7d", "28d")),
    # How the day goes at the origin.
    "origin": (("origin",), ("6h",)),
}
#: Miles an hour; what is above was not wind but a broken sensor.
STRONGEST_WIND = 250
#: Weather older than this is no longer the weather.
WEATHER_LASTS = timedelta(hours=6)
#: Columns that stay with a row and are not features.
CARRY = ("prediction_time", "sched_dep", "month", "carrier", "origin", "dest")
#: Columns that are only looked up by.
BY = ("sched_hour", "year", "tailnum", "built")


def training_set(store: FeatureStore) -> TrainingSet:
    """Write the feature tables, and look them up for every flight that arrived.

    Raises:
        TableError: a raw table is missing.
    """
    flights = store.read("flights").withColumn("sched_hour", F.expr("cast(sched_dep_time div 100 as int)"))
    for entity in ENTITIES:
        _past_delays(store, flights, entity)
    _weather(store)
    _planes(store)
    counts = flights.agg(F.count_if("cancelled").alias("cancelled"), F.count_if("diverted").alias("diverted")).first()
    made = store.create_training_set(
        _rows(store, flights), _lookups(), "late", keys=["flight_id"], carry=CARRY, exclude_columns=BY
    )
    return replace(made, dropped=counts.asDict() if counts else {})


def _past_delays(store: FeatureStore, flights: DataFrame, entity: str) -> None:
    keys, windows = ENTITIES[entity]
    past = flights.where("arrived_at is not null").withColumn("late", F.col("arr_delay") > LATE)
    spec = Rolling(keys, "arrived_at", windows, count=f"{entity}_flights", means={f"{entity}_late": "late"})
    store.create_table(
        f"{entity}_delays",
        keys,
        rolling(past, spec),
        timestamp_key=spec.timestamp,
        description=f"Flights of each {entity} that arrived within each window, and the share that was late",
        replace=True,
    )


def _weather(store: FeatureStore) -> None:
    observed = store.read("weather").drop("time_hour")
    observed = observed.withColumn("wind_speed", F.when(F.col("wind_speed") < STRONGEST_WIND, F.col("wind_speed")))
    # A gust is reported only where there are gusts; wind directions meet at north.
    angle = F.radians("wind_dir")
    observed = observed.withColumns(
        {
            "wind_gust": F.coalesce("wind_gust", "wind_speed"),
            "wind_north": F.col("wind_speed") * F.cos(angle),
            "wind_east": F.col("wind_speed") * F.sin(angle),
        }
    )
    store.create_table(
        "origin_weather",
        ["origin"],
        observed.drop("wind_dir"),
        timestamp_key="known_at",
        description="Hourly weather at the origins, from when it was known",
        replace=True,
    )


def _planes(store: FeatureStore) -> None:
    planes = store.read("planes").selectExpr("tailnum", "year as built", "seats", "engines")
    store.create_table("plane_facts", ["tailnum"], planes, description="Year built, seats and engines", replace=True)


def _rows(store: FeatureStore, flights: DataFrame) -> DataFrame:
    """One row for each flight that arrived, with what its schedule and its plane say."""
    rows = flights.where("arrived_at is not null").select(
        "flight_id",
        F.timestamp_add("HOUR", F.lit(-LEAD_HOURS), F.col("sched_dep")).alias("prediction_time"),
        *("sched_dep", "month", "carrier", "origin", "dest", "sched_hour", "year", "tailnum"),
        (F.col("arr_delay") > LATE).cast("int").alias("late"),
        F.expr("(sched_dep_time div 100) * 60 + sched_dep_time % 100").cast("int").alias("dep_minute"),
        F.weekday(F.make_date("year", "month", "day")).alias("weekday"),
        "distance",
        F.timestamp_diff("MINUTE", "sched_dep", "sched_arr").cast("int").alias("sched_minutes"),
    )
    rows = store.look_up(rows, FeatureLookup("plane_facts", "tailnum"))
    return rows.withColumn("plane_age", F.col("year") - F.col("built"))


def _lookups() -> list[FeatureLookup]:
    weather = FeatureLookup(
        "origin_weather", "origin", timestamp_lookup_key="prediction_time", lookback_window=WEATHER_LASTS
    )
    delays = [
        FeatureLookup(
            f"{entity}_delays",
            keys,
            timestamp_lookup_key="prediction_time",
            # Before the first arrival there is no row: nothing was known, so none had arrived.
            default_values={f"{entity}_flights_{window}": 0 for window in windows},
        )
        for entity, (keys, windows) in ENTITIES.items()
    ]
    return [*delays, weather]  # the widest last: every later lookup would carry it
