"""Events into a feature table: one row for each moment at which a feature changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.features.aggregation import parts, ranked, worker
from sparkml_track.features.aggregation.moves import ordered_moves
from sparkml_track.features.aggregation.spec import FeatureAggregation, check, result_type
from sparkml_track.features.aggregation.worker import Moved, Output, Values

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

__all__ = ["aggregate"]

#: Types that a schema names otherwise than ``dtypes`` does.
_SCHEMA_NAMES = {"bigint": "long", "int": "integer", "smallint": "short", "tinyint": "byte"}


def aggregate(events: DataFrame, spec: FeatureAggregation) -> DataFrame:
    """Aggregate events over windows, all of them in one shuffle and one sort.

    A point-in-time lookup in the result gives the value of each window at any instant, exactly. Windows last as long in
    every time zone.

    Args:
        events: one row for each. Those with a null key or time, or a null ``known_time``, are left out.
        spec: see ``FeatureAggregation``.

    Returns:
        Columns: the keys, the timestamp, and the features. One row for each moment at which an event enters or leaves a
        window of these keys, unique by keys and timestamp. Not computed before it is used.

    Raises:
        DataError: columns that are missing, clash or have a type that the aggregate does not take; text that is not a
            length; a negative delay.
    """
    types = dict(events.dtypes)
    check(types, spec)
    kinds: dict[str, set[str]] = {}
    for one in spec.features.values():
        if one.column is not None:
            kinds.setdefault(one.column, set()).add(one.kind)
    latest = any("last" in wanted for wanted in kinds.values())
    moves = ordered_moves(events, spec, list(kinds), latest=latest)
    return _named(_followed(moves, types, spec, kinds), types, spec)


def _followed(
    moves: DataFrame, types: dict[str, str], spec: FeatureAggregation, kinds: dict[str, set[str]]
) -> DataFrame:
    keys = [f"_key{index}" for index in range(len(spec.key_columns))]
    places = {column: place for place, column in enumerate(kinds)}
    outputs, schema = [], moves.select(*keys, "_at").schema
    for place, (name, (window, one)) in enumerate(spec.outputs.items()):
        kind = _carried(result_type(one, types[one.column] if one.column else ""))
        column = places[one.column] if one.column is not None else -1
        schema = schema.add(f"_o{place}", _SCHEMA_NAMES.get(kind, kind))
        outputs.append(Output(f"_o{place}", window, column, one.kind, _arrow(kind), one.quantile or 0.0, name))
    values = tuple(_values(types[column], wanted) for column, wanted in kinds.items())
    moved = Moved(values, len(spec.windows), tuple(outputs), (*keys, "_at"))
    ordered = moves.sortWithinPartitions(*keys, "_at")
    with sent_by_value(ranked), sent_by_value(parts), sent_by_value(worker):
        return ordered.mapInArrow(moved.__call__, schema)


def _values(kind: str, wanted: set[str]) -> Values:
    if kind.startswith("decimal("):
        return Values(frozenset(wanted), "decimal", int(kind[:-1].partition(",")[2]))
    return Values(frozenset(wanted), "floating" if kind in ("float", "double") else "whole")


def _carried(kind: str) -> str:
    """Instants travel as microseconds."""
    return "bigint" if kind == "timestamp" else kind


def _arrow(kind: str) -> pa.DataType:
    import pyarrow as pa

    if kind.startswith("decimal("):
        digits, _, scale = kind[len("decimal(") : -1].partition(",")
        return pa.decimal128(int(digits), int(scale))
    made = {
        "boolean": pa.bool_(), "tinyint": pa.int8(), "smallint": pa.int16(), "int": pa.int32(), "bigint": pa.int64(),
        "float": pa.float32(), "double": pa.float64(), "string": pa.string(), "binary": pa.binary(),
        "date": pa.date32(), "timestamp_ntz": pa.timestamp("us"),
    }  # fmt: skip
    return made[kind]


def _named(followed: DataFrame, types: dict[str, str], spec: FeatureAggregation) -> DataFrame:
    def output(place: int, kind: str) -> Column:
        return F.timestamp_micros(f"_o{place}") if kind == "timestamp" else F.col(f"_o{place}")

    columns = [F.col(f"_key{index}").alias(key) for index, key in enumerate(spec.key_columns)]
    columns.append(F.col("_at").alias(spec.timestamp))
    for place, (name, (_, one)) in enumerate(spec.outputs.items()):
        kind = result_type(one, types[one.column] if one.column else "")
        columns.append(output(place, kind).alias(name))
    return followed.select(*columns)
