"""Features on demand: columns as a function takes them, and what it gives as a column.

The same code computes them in training, in batches and behind an endpoint. It is sent to Spark's Python workers by
value, so it needs pandas and pyarrow there, and nothing here may refer to another module of the package.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "Computed",
    "FunctionFailed",
    "Stage",
    "computed",
    "parsed_types",
    "readable_types",
    "serialised_types",
    "to_pandas",
    "typed",
    "values_of",
]
#: Types of Arrow to those of pandas that have every value of theirs but null.
_PLAIN = {"double": "float64", "float": "float32", "int64": "int64", "int32": "int32", "bool": "bool"}


class FunctionFailed(Exception):
    """A function raised, or gave something else than a value of its type for each row."""


@dataclass(frozen=True)
class Computed:
    """A function with what it is called by.

    Attributes:
        function: takes pandas Series, gives a Series or a sequence of as many values, each made of its row alone.
        bindings: parameter to column.
        output: the name of what it gives.
    """

    function: Callable[..., Any]
    bindings: Mapping[str, str]
    output: str


def computed(function: Computed, columns: Mapping[str, pd.Series], kind: pa.DataType) -> Any:
    """Call it; gives an array as pandas has it.

    Args:
        function: which.
        columns: that it is bound to.
        kind: of its output.

    Raises:
        FunctionFailed: as it says.
    """
    return _array(_called(function, columns, kind))


def typed(values: pd.Series, kind: pa.DataType) -> pd.Series:
    """A column as it comes out of a table of this type.

    Raises:
        FunctionFailed: a value is not of the type.
    """
    if str(values.dtype) == _PLAIN.get(str(kind)):
        return values
    return to_pandas(_arrow(values, kind, f"column {values.name!r}"))


def values_of(values: Sequence[object], kind: pa.DataType) -> Any:
    """Values of this type as an array, as pandas has it."""
    import pyarrow as pa

    return _array(pa.array(values, kind))


def to_pandas(column: Any) -> pd.Series:
    """What every function sees: whole numbers and booleans with a null become floats and objects."""
    return column.to_pandas(date_as_object=True, timestamp_as_object=False)


def _array(column: Any) -> Any:
    """What ``to_pandas`` gives, without an index, which costs more than all else where there is one row."""
    import pyarrow as pa

    is_ = pa.types
    if any(fits(column.type) for fits in (is_.is_integer, is_.is_floating, is_.is_boolean, is_.is_string)):
        return column.to_numpy(zero_copy_only=False)
    return to_pandas(column).array


def parsed_types(text: str) -> dict[str, pa.DataType]:
    """Column to type, as ``serialised_types`` wrote it."""
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(text)))
    return {field.name: field.type for field in schema}


def serialised_types(types: Mapping[str, pa.DataType]) -> str:
    """An Arrow schema in base64."""
    import pyarrow as pa

    return base64.b64encode(pa.schema(list(types.items())).serialize().to_pybytes()).decode()


def readable_types(types: Mapping[str, pa.DataType]) -> dict[str, str]:
    """The same for people."""
    return {name: str(kind) for name, kind in types.items()}


@dataclass(frozen=True)
class Stage:
    """For ``DataFrame.mapInArrow``: adds the outputs of functions, in order.

    Attributes:
        functions: which.
        names: of the columns of a batch, in order.
        types: output to type.
    """

    functions: Sequence[Computed]
    names: Sequence[str]
    types: Mapping[str, Any]

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """What Spark calls, once for each partition."""
        import pyarrow as pa

        for batch in batches:
            columns = dict(zip(self.names, batch.columns, strict=True))
            for each in self.functions:
                given = {name: _given(columns[name], name) for name in each.bindings.values()}
                columns[each.output] = _called(each, given, self.types[each.output])
            # Spark finds columns by name on the way back: by place, since a dot in a name would be a field.
            yield pa.RecordBatch.from_arrays(list(columns.values()), [str(place) for place in range(len(columns))])


def _given(column: Any, name: str) -> pd.Series:
    """Instants come in the zone of the session, and are given in UTC."""
    import pyarrow as pa

    in_zone = pa.types.is_timestamp(column.type) and column.type.tz is not None
    return to_pandas(column.cast(pa.timestamp("us", "UTC")) if in_zone else column).rename(name)


def _called(function: Computed, columns: Mapping[str, pd.Series], kind: pa.DataType) -> pa.Array:
    import pandas as pd

    given = {parameter: columns[column] for parameter, column in function.bindings.items()}
    rows = len(next(iter(given.values())))
    what = f"the function {getattr(function.function, '__name__', 'given')} of {function.output!r}"
    try:
        made = function.function(**given)
    # Whatever a function of the user raises.
    except Exception as error:
        raise FunctionFailed(f"{what} raised {type(error).__name__}: {error}") from error
    many = hasattr(made, "__len__") and not isinstance(made, str | bytes)
    if not many or len(made) != rows:
        got = f"{len(made)} values" if many else f"{made!r:.80}"
        raise FunctionFailed(f"{what} gave {got} for {rows} rows: give one for each")
    return _arrow(made if isinstance(made, pd.Series) else pd.Series(made), kind, f"the output of {what}")


def _arrow(values: pd.Series, kind: pa.DataType, what: str) -> pa.Array:
    import pyarrow as pa

    # pandas has one word for null and nan: null.
    try:
        made = pa.array(values, kind, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise FunctionFailed(f"{what} is not {kind}: {error!s:.200}") from error
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made
