"""What a model carries of the training set it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.carried import CarriedFeatures, CarriedFunction, CarriedLookup
from sparkml_track.errors import DataError
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.online.function import FeatureFunction, add_outputs
from sparkml_track.online_stores import on_demand
from sparkml_track.online_stores.functions import carry

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkml_track.tables import TableInfo

__all__ = ["Origin", "carried_features", "carried_function", "carried_lookup", "computed", "lookup_of"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a training set was made by.

    Attributes:
        rows: with every column, those too that were only needed to look up by.
        lookups: in order.
        functions: in order, after the look-ups.
    """

    rows: DataFrame
    lookups: tuple[CarriedLookup, ...]
    functions: tuple[FeatureFunction, ...] = ()


def carried_lookup(
    lookup: FeatureLookup, info: TableInfo, keys: Mapping[str, str], outputs: Mapping[str, str]
) -> CarriedLookup:
    """A look-up with what its table says of it.

    Args:
        lookup: as asked for.
        info: of its table.
        keys: column of the rows to key column of the table.
        outputs: name in the result to feature.
    """
    return CarriedLookup(
        info.ref.name,
        info.ref.version,
        dict(keys),
        dict(outputs),
        lookup.timestamp_lookup_key,
        lookup.lookback_window,
        dict(lookup.default_values),
        lookup.known_key,
    )


def carried_function(function: FeatureFunction) -> CarriedFunction:
    """A function with its code.

    Raises:
        SpecError: it cannot be carried.
    """
    return carry(function.udf, function.input_bindings, function.output_name, function.output_type)


def lookup_of(carried: CarriedLookup) -> FeatureLookup:
    """The look-up again."""
    return FeatureLookup(
        carried.table,
        tuple(carried.keys),
        tuple(carried.outputs.values()),
        {feature: name for name, feature in carried.outputs.items() if name != feature},
        carried.time,
        carried.lookback,
        carried.defaults,
        carried.known,
    )


def computed(df: DataFrame, functions: Sequence[FeatureFunction]) -> DataFrame:
    """Add the outputs of functions to ``df``.

    Raises:
        DataError: see ``add_outputs``.
    """
    ready = [on_demand.Computed(each.udf, dict(each.input_bindings), each.output_name) for each in functions]
    return add_outputs(df, ready, {each.output_name: each.output_type for each in functions})


def carried_features(origin: Origin, columns: Sequence[str]) -> CarriedFeatures:
    """All that a model carries.

    Args:
        origin: of its training set.
        columns: what it takes, in its order.

    Raises:
        DataError: it takes a column that the training set does not have.
        SpecError: a function cannot be carried.
    """
    if absent := [name for name in columns if name not in origin.rows.columns]:
        raise DataError(
            f"the model takes {', '.join(absent)}, which the training set does not have; it has "
            f"{', '.join(origin.rows.columns)}"
        )
    every = CarriedFeatures(tuple(columns), origin.lookups, tuple(map(carried_function, origin.functions)))
    carried = every.needed(())
    with translated("reading the types of the training set", DataError):
        kinds = _types(origin.rows)
    types = {name: kinds[name] for name in carried.used}
    return replace(carried, types=on_demand.serialised_types(types), readable_types=on_demand.readable_types(types))


def _types(rows: DataFrame) -> dict[str, pa.DataType]:
    from sparkml_track.online_stores import utc_schema

    return {field.name: field.type for field in utc_schema(rows.limit(0).toArrow().schema)}
