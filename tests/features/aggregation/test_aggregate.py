"""Aggregates over windows against a slow twin that looks at every event for every question."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from sparkml_track.errors import DataError
from sparkml_track.features import Asof, point_in_time
from sparkml_track.features.aggregation import (
    Aggregate,
    ExpandingWindow,
    FeatureAggregation,
    RollingWindow,
    SlidingWindow,
    TumblingWindow,
    aggregate,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Clocks go back in New York at 06:00 UTC on this day.
START = datetime(2013, 11, 3, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [("k", pa.string()), ("at", INSTANT), ("came", INSTANT), ("x", pa.float64()), ("n", pa.int64()),
     ("price", pa.decimal128(12, 2)), ("word", pa.string()), ("when", INSTANT), ("yes", pa.bool_())]
)  # fmt: skip
WINDOWS = (
    RollingWindow("3h"), SlidingWindow("4h", "2h"), TumblingWindow("3h", timedelta(hours=1)), ExpandingWindow()
)  # fmt: skip
FEATURES = {
    "events": Aggregate("count"), "xs": Aggregate("count", "x"), "total": Aggregate("sum", "x"),
    "mean": Aggregate("mean", "x"), "spread": Aggregate("std", "x"), "ns": Aggregate("sum", "n"),
    "paid": Aggregate("sum", "price"), "price": Aggregate("mean", "price"), "dear": Aggregate("max", "price"),
    "least": Aggregate("min", "x"), "most": Aggregate("max", "x"), "word": Aggregate("last", "word"),
    "words": Aggregate("distinct", "word"), "when": Aggregate("last", "when"), "p70": Aggregate("quantile", "x", 0.7),
    "median": Aggregate("quantile", "n", 0.5), "share": Aggregate("mean", "yes"), "first": Aggregate("min", "when"),
}  # fmt: skip
SPEC = FeatureAggregation("k", "at", FEATURES, WINDOWS, timedelta(minutes=30), "came")


def minutes(number: int) -> datetime:
    return START + timedelta(minutes=number)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def chance_events(seed: int, number: int) -> list[dict[str, Any]]:
    """Some late, some at one time, some without values, over two days in which clocks change."""
    chance = random.Random(seed)
    made = []
    for _ in range(number):
        at = chance.randrange(0, 1200, 10)
        late = chance.choice([0, 0, 20, 45, 90, 400])
        made.append({
            "k": chance.choice("ab"), "at": minutes(at), "came": minutes(at + late),
            "x": chance.choice([None, 0.1, 1e15, -2.5, 1 / 3, 7.0, chance.random()]),
            "n": chance.choice([None, 2**53 + 1, -3, 5]), "word": chance.choice([None, "ä", "b", "z"]),
            "price": chance.choice([None, Decimal("0.01"), Decimal("1234567890.99")]),
            "when": chance.choice([None, minutes(chance.randrange(300, 480, 30))]),
            "yes": chance.choice([None, True, False]),
        })  # fmt: skip
    return made


@dataclass(frozen=True)
class Twin:
    """Slow and obvious."""

    events: list[dict[str, Any]]
    spec: FeatureAggregation

    def inside(self, key: str, t: datetime, window: object) -> Iterator[dict[str, Any]]:
        delay = self.spec.delay
        for event in self.events:
            known = max(event["at"] + delay, event["came"])
            if event["k"] != key or known > t:
                continue
            moment = t - delay
            if isinstance(window, RollingWindow) and moment - window.long < event["at"] <= moment:
                yield event
            if isinstance(window, SlidingWindow | TumblingWindow):
                end = moment - (moment - EPOCH - window.offset) % window.step
                if end - window.long <= event["at"] < end:
                    yield event
            if isinstance(window, ExpandingWindow):
                yield event

    def value(self, found: list[dict[str, Any]], one: Aggregate) -> Any:
        if one.column is None:
            return len(found)
        found = [event for event in found if event[one.column] is not None]
        values = [event[one.column] for event in found]
        if one.kind in ("count", "distinct"):
            return len(values) if one.kind == "count" else len(set(values))
        if not values or (one.kind == "std" and len(values) < 2):
            return None
        if one.kind == "last":
            return max((e["at"], max(e["at"] + self.spec.delay, e["came"]), e[one.column]) for e in found)[2]
        exact = [Fraction(value) for value in values] if one.kind in ("sum", "mean", "std") else []
        return {
            "sum": lambda: type(values[0])(sum(values)) if not isinstance(values[0], float) else float(sum(exact)),
            "mean": lambda: float(sum(exact) / len(exact)),
            "std": lambda: float(statistics.stdev(exact)),
            "min": lambda: min(values),
            "max": lambda: max(values),
            "quantile": lambda: float(np.quantile(np.array(values, float), one.quantile)),
        }[one.kind]()


def asked(made: DataFrame, spec: FeatureAggregation, spark: SparkSession, keys: str) -> list[dict[str, Any]]:
    """What look-ups find every ten minutes, and just before."""
    times = [minutes(number) - timedelta(microseconds=less) for number in range(-10, 2000, 10) for less in (0, 1)]
    rows = pa.table({"key": [k for k in keys for _ in times], "t": pa.array(times * len(keys), INSTANT)})
    how = Asof({"key": "k"}, {name: name for name in spec.outputs}, "t", spec.timestamp)
    return point_in_time(spark.createDataFrame(rows), made, how).toArrow().to_pylist()


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=4e-16) or (math.isnan(one) and math.isnan(other))
    return one == other


@pytest.mark.spark
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_every_aggregate_over_every_window_is_that_of_the_twin(spark: SparkSession, zone: str) -> None:
    events = chance_events(5, 150)
    twin = Twin(events, SPEC)
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        made = aggregate(spark.createDataFrame(table(events)), SPEC)
        found = asked(made, SPEC, spark, "abc")
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    inside: dict[tuple[str, datetime, int], list[dict[str, Any]]] = {}
    for row in found:
        for name, (number, one) in SPEC.outputs.items():
            place = (row["key"], row["t"], number)
            if place not in inside:
                inside[place] = list(twin.inside(row["key"], row["t"], SPEC.spans[number]))
            expected = twin.value(inside[place], one)
            if row[name] is None and one.kind in ("count", "distinct"):
                assert expected == 0  # before the first row
            else:
                assert same(row[name], expected), (name, row["key"], row["t"], row[name], expected)


@pytest.mark.spark
def test_moving_averages_are_those_of_pandas(spark: SparkSession) -> None:
    import pandas as pd

    chance = np.random.default_rng(2)
    # More rows than a batch of Arrow has, and several keys to a partition.
    frame = pd.DataFrame({
        "k": chance.integers(0, 40, 6_000), "x": chance.normal(size=6_000),
        "at": pd.to_datetime(chance.choice(10**7, 6_000, replace=False), unit="s", utc=True),
    }).sort_values("at")  # fmt: skip
    kinds: tuple[Any, ...] = ("sum", "mean", "std", "min", "max", "quantile")
    features = {kind: Aggregate(kind, "x", 0.3 if kind == "quantile" else None) for kind in kinds}
    spec = FeatureAggregation("k", "at", features, ("5d", "1d"))
    events = spark.createDataFrame(pa.Table.from_pandas(frame, preserve_index=False))
    made = aggregate(events, spec).toArrow().to_pandas().set_index(["k", "known_at"]).sort_index()
    for length in ("5d", "1d"):
        rolling = frame.set_index("at").groupby("k")["x"].rolling(length)
        for kind in kinds:
            wanted = rolling.quantile(0.3) if kind == "quantile" else getattr(rolling, kind)()
            found = made[f"{kind}_{length}"].reindex(wanted.index)
            np.testing.assert_allclose(found.to_numpy(float), wanted.to_numpy(float), rtol=1e-7, atol=1e-7)


#: On a clock without a zone.
TWICE = datetime(2013, 3, 10, 2, 30)  # noqa: DTZ001
KINDS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.float64(), [math.nan, -0.0, 0.0, math.inf]),
    (pa.float32(), [0.5, math.nan, -0.25, 0.5]),
    (pa.int8(), [3, -4, 3, 100]),
    (pa.decimal128(38, 2), [Decimal(f"{'9' * 36}.99"), Decimal("-0.01"), None, Decimal("0.00")]),
    (pa.date32(), [date(2013, 1, 2), date(1900, 1, 1), None, date(2013, 1, 2)]),
    (pa.timestamp("us"), [TWICE, None, TWICE - timedelta(days=20_000), TWICE]),
    (pa.binary(), [b"\xff", b"", b"\x00", b"\xff"]),
    (pa.bool_(), [True, False, None, True]),
]  # fmt: skip


@pytest.mark.spark
def test_every_type_has_its_aggregates(spark: SparkSession) -> None:
    columns = {f"v{number}": pa.array(values, kind) for number, (kind, values) in enumerate(KINDS)}
    at = pa.array([minutes(number) for number in range(4)], INSTANT)
    events = spark.createDataFrame(pa.table({"a.k": [1] * 4, "at": at, **columns}))
    events = events.withColumn("v5", F.col("v5").cast("timestamp_ntz"))
    kinds: tuple[Any, ...] = ("min", "max", "last", "distinct")
    features = {f"{kind}_{column}": Aggregate(kind, column) for column in columns for kind in kinds}
    sums: tuple[Any, ...] = ("sum", "mean", "std")
    features |= {f"{kind}_{column}": Aggregate(kind, column) for column in ("v0", "v2", "v3", "v7") for kind in sums}
    made = aggregate(events, FeatureAggregation("a.k", "at", features, (ExpandingWindow(),)))
    types = dict(events.dtypes)
    assert {name: kind for name, kind in made.dtypes if name.startswith("min")} == {
        f"min_{column}_ever": types[column] for column in columns
    }
    row = made.orderBy("known_at").toArrow().to_pylist()[-1]
    found = {name.removesuffix("_ever"): value for name, value in row.items()}
    assert [found[f"distinct_v{number}"] for number in range(8)] == [3, 3, 3, 3, 2, 2, 3, 2]
    assert (found["min_v0"], found["last_v0"]) == (0.0, math.inf)
    assert all(math.isnan(found[name]) for name in ("max_v0", "sum_v0", "mean_v0", "std_v0", "max_v1"))
    assert (found["min_v1"], found["max_v2"], found["sum_v2"]) == (-0.25, 100, 102)
    assert dict(made.dtypes)["sum_v2_ever"] == "bigint"
    assert found["sum_v3"] == Decimal(f"{'9' * 36}.98")
    assert dict(made.dtypes)["sum_v3_ever"] == "decimal(38,2)"
    assert (found["min_v4"], found["last_v5"]) == (date(1900, 1, 1), TWICE)
    assert (found["max_v6"], found["last_v6"], found["min_v7"], found["sum_v7"]) == (b"\xff", b"\xff", False, 2)


@pytest.mark.spark
def test_a_sum_that_no_long_can_hold_is_an_error_and_no_number(spark: SparkSession) -> None:
    events = spark.createDataFrame(table([{"k": "a", "at": minutes(0), "n": 2**62}] * 2))
    spec = FeatureAggregation("k", "at", {"ns": Aggregate("sum", "n")}, ("1d",))
    with pytest.raises(Exception, match="the sum 'ns_1d' is larger than a int64 can be; cast its column to double"):
        aggregate(events, spec).collect()


@pytest.mark.spark
def test_one_shuffle_is_enough_and_events_without_key_or_time_are_left_out(spark: SparkSession) -> None:
    rows = [{"k": None, "at": minutes(0), "came": minutes(0)}, {"k": "a", "at": None, "came": minutes(0)},
            {"k": "a", "at": minutes(0), "came": None}]  # fmt: skip
    made = aggregate(spark.createDataFrame(table(rows)), SPEC)
    plan = made._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]
    assert plan.count("Exchange hashpartitioning") == 1
    assert made.count() == 0


@pytest.mark.spark
def test_what_cannot_be_aggregated_is_refused(spark: SparkSession) -> None:
    events = spark.createDataFrame(table([]))
    one = FeatureAggregation("k", "at", {"n": Aggregate("count")}, ("1d",))
    for spec, message in (
        (replace(one, keys="q"), "no column 'q'"),
        (replace(one, time="x"), "'x' is double, not a timestamp"),
        (replace(one, known_time="then"), "no column 'then'"),
        (replace(one, keys=()), "at least one key, one window and one feature"),
        (replace(one, windows=("1 day",)), "'1 day' is not a window"),
        (replace(one, windows=(SlidingWindow("1d", "x"),)), "'x' is not a window"),
        (replace(one, delay=timedelta(-1)), "is negative: nothing is known before it happens"),
        (replace(one, windows=("1d", "1d")), "two columns 'n_1d'"),
        (replace(one, timestamp="K"), "two columns 'k'"),
        (replace(one, windows=("1d",) * 61), "61 windows; allowed are 60"),
        (replace(one, features={"m": Aggregate("mean", "word")}), "'word' is string: only numbers and booleans"),
        (replace(one, features={"m": Aggregate("mean")}), "'m' is a mean of no column"),
        (replace(one, features={"m": Aggregate("max", "z")}), "no column 'z', which 'm' is of"),
        (replace(one, features={"m": Aggregate("mode", "x")}), "'m' is a mode: allowed are count, sum"),  # type: ignore[arg-type]
        (replace(one, features={"m": Aggregate("quantile", "x")}), "quantile=None: give a number from 0 to 1"),
        (replace(one, features={"m": Aggregate("quantile", "x", 1.5)}), "quantile=1.5"),
        (replace(one, features={"m": Aggregate("sum", "x", 0.5)}), "for a quantile, else nothing"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=message):
            aggregate(events, spec)
