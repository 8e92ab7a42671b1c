"""Feature specs: look-ups and functions under a name, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.carried import CarriedFeatures, CarriedLookup
from sparkml_track.errors import DataError, SpecError, TableError
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.online.carrying import carried_function, lookup_of
from sparkml_track.features.online.function import FeatureFunction, output_types
from sparkml_track.online_stores import on_demand, utc_schema
from sparkml_track.online_stores.functions import loaded
from sparkml_track.tables import TableExpectations, Tables, check_name

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

__all__ = ["SPECS", "FeatureSpec", "check_features", "read_spec", "spec_of", "write_spec"]

#: The table of all specs.
SPECS = "feature_specs"


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """A named set of look-ups and functions.

    Attributes:
        name: an identifier.
        carried: what it says: ``features_of_rows(spec.carried, store)`` adds it to rows that are served.
    """

    name: str
    carried: CarriedFeatures

    def features(self, *, allow_code: bool = False) -> tuple[FeatureLookup | FeatureFunction, ...]:
        """Give what ``create_training_set`` takes.

        Args:
            allow_code: whether functions that cannot be imported here may be read from the table, which runs whatever
                it holds.

        Raises:
            DataError: a function is not here.
        """
        lookups = map(lookup_of, self.carried.lookups)
        functions = [(each, loaded(each, allow_code=allow_code)) for each in self.carried.functions]
        made = [FeatureFunction(got.function, dict(one.bindings), one.output, one.type) for one, got in functions]
        return (*lookups, *made)


def spec_of(
    tables: Tables, lookups: Sequence[CarriedLookup], functions: Sequence[FeatureFunction], excluded: Sequence[str] = ()
) -> CarriedFeatures:
    """What a spec says.

    Args:
        tables: with a session.
        lookups: in order.
        functions: in order.
        excluded: outputs that are not given out.

    Raises:
        DataError: an output is there twice, or an excluded one is not there.
        SpecError: a function cannot be carried.
    """
    types: dict[str, pa.DataType] = {}
    with translated("reading the types of the tables", DataError):
        for lookup in lookups:
            rows = tables.read(tables.pin(lookup.table, lookup.version))
            types |= _types(rows, lookup, tables.describe(lookup.table).timestamp)
    types |= output_types(rows.sparkSession, {each.output_name: each.output_type for each in functions})
    outputs = [*(name for lookup in lookups for name in lookup.outputs), *(each.output_name for each in functions)]
    problems = [f"{name!r} is there twice" for name in dict.fromkeys(outputs) if outputs.count(name) > 1]
    problems += [f"there is no output {name!r} to leave out" for name in excluded if name not in outputs]
    if problems:
        raise DataError("; ".join(problems) + f"; the outputs are {', '.join(outputs)}")
    return CarriedFeatures(
        tuple(name for name in outputs if name not in excluded),
        tuple(lookups),
        tuple(map(carried_function, functions)),
        on_demand.serialised_types(types),
        on_demand.readable_types(types),
    )


def _types(rows: DataFrame, lookup: CarriedLookup, timestamp: str | None) -> dict[str, pa.DataType]:
    """Of the columns that a look-up takes and gives."""
    schema = utc_schema(rows.limit(0).toArrow().schema)
    columns = {**lookup.keys, **lookup.outputs, **({lookup.time: timestamp} if lookup.time and timestamp else {})}
    return {name: schema.field(column).type for name, column in columns.items()}


def write_spec(tables: Tables, spec: FeatureSpec) -> None:
    """Store a spec; one of its name is replaced.

    Raises:
        TableError: the name is not an identifier, or the storage refused.
    """
    import pyarrow as pa

    rows = pa.table({"name": [check_name(spec.name)], "spec": [spec.carried.to_json()]})
    if tables.exists(SPECS):
        tables.merge(SPECS, rows, keys=["name"])
    else:
        expect = TableExpectations(keys=("name",))
        tables.write(SPECS, rows, mode="error", expect=expect, description="feature specs")


def read_spec(tables: Tables, name: str) -> FeatureSpec:
    """Find a spec.

    Raises:
        TableError: there is none of this name.
        DataError: it is of another format.
    """
    rows = tables.to_arrow(SPECS).to_pylist() if tables.exists(SPECS) else []
    found = {str(row["name"]): str(row["spec"]) for row in rows}
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise TableError(f"there is no feature spec {name!r}, there are: {there}. Make it with create_feature_spec")
    return FeatureSpec(name, CarriedFeatures.from_json(found[name]))


def check_features(features: Sequence[object]) -> None:
    """Refuse what is neither a look-up nor a function.

    Raises:
        SpecError: as it says.
    """
    if not any(isinstance(each, FeatureLookup) for each in features):
        raise SpecError("a feature spec has at least one FeatureLookup, got none")
    wrong = [each for each in features if not isinstance(each, FeatureLookup | FeatureFunction)]
    if wrong:
        raise SpecError(f"features are FeatureLookup and FeatureFunction, got {wrong[0]!r:.80}")
