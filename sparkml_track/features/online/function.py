"""Features on demand: computed from other columns when a row is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError
from sparkml_track.online_stores import on_demand
from sparkml_track.registries import is_users

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["FeatureFunction", "add_outputs", "output_types"]


@dataclass(frozen=True, slots=True)
class FeatureFunction:
    """A feature that a Python function computes, the same in training, in batches and behind an endpoint.

    The function is called with pandas Series by keyword and gives a Series, or a sequence of as many values. A value is
    made of its row alone: a function sees a few rows or many at a time, in any order. Null and nan are the same to
    pandas, and a nan that comes back is null; whole numbers with a null come as floats, instants in UTC.

    Attributes:
        udf: a plain function; it needs pandas where Spark's workers are.
        input_bindings: parameter of the function to column: of the rows, of a look-up, or of a function before it.
        output_name: of the feature.
        output_type: of the feature, in Spark's SQL: "double", "long", "string", "timestamp", "array<double>", ...
    """

    udf: Callable[..., Any]
    input_bindings: Mapping[str, str]
    output_name: str
    output_type: str = "double"


def add_outputs(df: DataFrame, functions: Sequence[on_demand.Computed], types: Mapping[str, str]) -> DataFrame:
    """Add the outputs of functions, in order; every row stays once.

    Args:
        df: the rows.
        functions: which.
        types: output to type in Spark's SQL, of these functions and perhaps of others.

    Raises:
        DataError: a column is missing or is there already, or a type is not one.
    """
    if not functions:
        return df
    from pyspark.sql.types import StructField, StructType

    _check(df.columns, functions)
    with translated("a feature function", DataError):
        outputs = _outputs(df.sparkSession, {each.output: types[each.output] for each in functions})
        kinds = {field.name: field.type for field in outputs.toArrow().schema}
        stage = on_demand.Stage(functions, tuple(df.columns), kinds)
        names = [*df.columns, *(each.output for each in functions)]
        fields = [*df.schema.fields, *(outputs.schema[each.output] for each in functions)]
        # By place: a dot in a name would be a field of a struct.
        made = StructType([StructField(str(place), field.dataType) for place, field in enumerate(fields)])
        with _sent([on_demand.__name__, *(each.function.__module__ for each in functions)]):
            return df.toDF(*made.names[: len(df.columns)]).mapInArrow(stage.__call__, made).toDF(*names)


def output_types(spark: SparkSession, types: Mapping[str, str]) -> dict[str, pa.DataType]:
    """Types in Spark's SQL as those of Arrow.

    Raises:
        DataError: a type is not one.
    """
    with translated("a feature function", DataError):
        return {field.name: field.type for field in _outputs(spark, types).toArrow().schema} if types else {}


def _outputs(spark: SparkSession, types: Mapping[str, str]) -> DataFrame:
    """A data frame without rows, with these columns."""
    empty = spark.range(0)
    from pyspark.sql import functions as F

    return empty.select(*(F.lit(None).cast(kind).alias(name) for name, kind in types.items()))


def _check(columns: Sequence[str], functions: Sequence[on_demand.Computed]) -> None:
    there = set(columns)
    problems = []
    for each in functions:
        absent = [column for column in each.bindings.values() if column not in there]
        problems += [f"the rows have no column {column!r}, which {each.output!r} is computed from" for column in absent]
        if each.output.lower() in {name.lower() for name in there}:
            problems.append(f"the rows have a column {each.output!r} already: give the function another output_name")
        there.add(each.output)
    if problems:
        raise DataError("; ".join(problems) + f". The rows have {', '.join(columns)}")


@contextmanager
def _sent(names: Sequence[str]) -> Iterator[None]:
    """While it lasts, Spark pickles these modules whole, those of installed packages and of others left out."""
    from pyspark import cloudpickle

    with ExitStack() as stack:
        for name in dict.fromkeys(names):
            module = sys.modules.get(name)
            ours = name == on_demand.__name__ or (module is not None and name != "__main__" and is_users(module))
            if ours and module and name not in cloudpickle.list_registry_pickle_by_value():  # type: ignore[no-untyped-call]
                stack.enter_context(sent_by_value(module))
        yield
