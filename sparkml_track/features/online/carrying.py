"""What a model carries of the training set it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.carried import CarriedFeatures, CarriedLookup
from sparkml_track.errors import DataError
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.online.function import FeatureFunction, add_outputs
from sparkml_track.online_stores import on_demand
from sparkml_track.online_stores.functions import carry

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkml_track.tables import TableInfo

__all__ = ["Origin", "carried_features", "carried_lookup", "computed", "lookup_of"]


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
    )


def lookup_of(carried: CarriedLookup, without: Sequence[str] = ()) -> FeatureLookup | None:
    """The look-up again, without some of its outputs; None where none is left."""
    outputs = {name: feature for name, feature in carried.outputs.items() if name not in without}
    if not outputs:
        return None
    return FeatureLookup(
        carried.table,
        tuple(carried.keys),
        tuple(dict.fromkeys(outputs.values())),
        {feature: name for name, feature in outputs.items() if name != feature},
        carried.time,
        carried.lookback,
        {name: value for name, value in carried.defaults.items() if name in outputs},
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
    functions = tuple(carry(each.udf, each.input_bindings, each.output_name) for each in origin.functions)
    used = _used(origin, columns)
    with translated("reading the types of the training set", DataError):
        every = _types(origin.rows)
    types = {name: every[name] for name in used}
    return CarriedFeatures(
        tuple(columns),
        origin.lookups,
        functions,
        on_demand.serialised_types(types),
        on_demand.readable_types(types),
    )


def _used(origin: Origin, columns: Sequence[str]) -> list[str]:
    names = [*columns]
    for lookup in origin.lookups:
        names += [*lookup.keys, *([lookup.time] if lookup.time else []), *lookup.outputs]
    for function in origin.functions:
        names += [*function.input_bindings.values(), function.output_name]
    return list(dict.fromkeys(names))


def _types(rows: DataFrame) -> dict[str, pa.DataType]:
    from sparkml_track.online_stores import utc_schema

    return {field.name: field.type for field in utc_schema(rows.limit(0).toArrow().schema)}
