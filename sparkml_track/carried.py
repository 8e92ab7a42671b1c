"""The look-ups and functions that a model carries: what ``features.json`` in its folder says.

Training, batch scoring and serving read the same value, so that a row gets the same features in all three.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sparkml_track.errors import DataError

__all__ = ["FEATURES_FILE", "CarriedFeatures", "CarriedFunction", "CarriedLookup"]

#: Beside a model's own files.
FEATURES_FILE = "features.json"
_FORMAT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CarriedLookup:
    """Features of one table, as ``FeatureLookup`` with nothing left open.

    Attributes:
        table: its name.
        version: that the training set was made from; for the record, no reader looks there.
        keys: column of the rows to key column of the table, in the order of the table's keys.
        outputs: name in the result to feature.
        time: column of the rows that holds the time; None where the table has no timestamp.
        lookback: older values count as missing; None for any age.
        defaults: name in the result to what stands for a missing value.
        known: column of the table that says when a row came; None where rows count from their timestamp on.
    """

    table: str
    version: int
    keys: Mapping[str, str]
    outputs: Mapping[str, str]
    time: str | None = None
    lookback: timedelta | None = None
    defaults: Mapping[str, object] = field(default_factory=dict)
    known: str | None = None


@dataclass(frozen=True, slots=True)
class CarriedFunction:
    """A feature that is computed from others when it is asked for.

    Attributes:
        output: its name in the result.
        type: of the output, in Spark's SQL.
        bindings: parameter of the function to column of the rows.
        reference: "package.module:function", by which it is imported where it can be.
        digest: SHA-256 of its source: what is imported is refused where it has another one.
        code: the pickled function, in base64; read only where code that comes with models is allowed.
    """

    output: str
    type: str
    bindings: Mapping[str, str]
    reference: str
    digest: str
    code: str


@dataclass(frozen=True, slots=True)
class CarriedFeatures:
    """All of it.

    Attributes:
        columns: what the model takes, in its order.
        lookups: in this order.
        functions: in this order, after all look-ups.
        types: an Arrow schema, serialised, in base64, of the columns that look-ups and functions take and give.
        readable_types: the same for people.
    """

    columns: tuple[str, ...]
    lookups: tuple[CarriedLookup, ...]
    functions: tuple[CarriedFunction, ...] = ()
    types: str = ""
    readable_types: Mapping[str, str] = field(default_factory=dict)

    def needed(self, given: Collection[str]) -> CarriedFeatures:
        """What rows that have these columns need to get those of the model: nothing that is there, or of no use."""
        wanted = {name for name in self.columns if name not in given}
        functions = []
        for function in reversed(self.functions):
            if function.output in wanted:
                functions.append(function)
                wanted |= {column for column in function.bindings.values() if column not in given}
        lookups = [_only(lookup, wanted) for lookup in self.lookups]
        return replace(
            self, lookups=tuple(each for each in lookups if each.outputs), functions=tuple(reversed(functions))
        )

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is taken or given by the model, a look-up or a function."""
        names = [*self.columns]
        for lookup in self.lookups:
            names += [*lookup.keys, *([lookup.time] if lookup.time else []), *lookup.outputs]
        for function in self.functions:
            names += [*function.bindings.values(), function.output]
        return tuple(dict.fromkeys(names))

    def of_model(self, columns: Sequence[str]) -> CarriedFeatures:
        """What a model of some of these columns carries.

        Args:
            columns: what it takes, in its order.

        Raises:
            DataError: it takes another column.
        """
        if absent := [name for name in columns if name not in self.columns]:
            raise DataError(
                f"the model takes {', '.join(map(str, absent))}, which the training set does not have from its rows, "
                f"look-ups and functions, so nobody could look that up for it; there are {', '.join(self.columns)}"
            )
        carried = replace(self, columns=tuple(columns)).needed(())
        types = {name: kind for name, kind in self.readable_types.items() if name in carried.used}
        return replace(carried, readable_types=types)

    def to_json(self) -> str:
        """The text of the file."""
        body = {
            "format": _FORMAT,
            "columns": list(self.columns),
            "lookups": [_lookup_out(each) for each in self.lookups],
            "functions": [_function_out(each) for each in self.functions],
            "types": dict(self.readable_types),
            "arrow_types": self.types,
        }
        return json.dumps(body, indent=2, allow_nan=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> CarriedFeatures:
        """Reads the file.

        Raises:
            DataError: it is of another format, or is none.
        """
        try:
            body = json.loads(text)
            if body["format"] != _FORMAT:
                raise DataError(
                    f"{FEATURES_FILE} is of format {body['format']!r}, this release reads {_FORMAT}: use the release "
                    "that logged the model, or log it again"
                )
            return cls(
                tuple(map(str, body["columns"])),
                tuple(map(_lookup_in, body["lookups"])),
                tuple(CarriedFunction(**each) for each in body["functions"]),
                str(body["arrow_types"]),
                {str(name): str(kind) for name, kind in body["types"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{FEATURES_FILE} cannot be read ({type(error).__name__}: {error!s:.200}): log the model again"
            ) from error


def _only(lookup: CarriedLookup, wanted: Collection[str]) -> CarriedLookup:
    outputs = {name: feature for name, feature in lookup.outputs.items() if name in wanted}
    defaults = {name: value for name, value in lookup.defaults.items() if name in outputs}
    return replace(lookup, outputs=outputs, defaults=defaults)


def _lookup_out(lookup: CarriedLookup) -> dict[str, object]:
    return {
        "table": lookup.table,
        "version": lookup.version,
        "keys": dict(lookup.keys),
        "outputs": dict(lookup.outputs),
        "time": lookup.time,
        "lookback_microseconds": None if lookup.lookback is None else lookup.lookback // _MICROSECOND,
        "defaults": {name: _value_out(value) for name, value in lookup.defaults.items()},
        "known": lookup.known,
    }


def _lookup_in(body: Mapping[str, Any]) -> CarriedLookup:
    micros = body["lookback_microseconds"]
    return CarriedLookup(
        str(body["table"]),
        int(body["version"]),
        dict(body["keys"]),
        dict(body["outputs"]),
        body["time"],
        None if micros is None else timedelta(microseconds=micros),
        {name: _value_in(value) for name, value in body["defaults"].items()},
        body["known"],
    )


def _function_out(function: CarriedFunction) -> dict[str, object]:
    return {
        "output": function.output,
        "type": function.type,
        "bindings": dict(function.bindings),
        "reference": function.reference,
        "digest": function.digest,
        "code": function.code,
    }


def _value_out(value: object) -> object:
    """A default as JSON; what JSON does not have is a mapping of one key, its kind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return {"timestamp": (moment - _EPOCH) // _MICROSECOND}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, bytes):
        return {"binary": base64.b64encode(value).decode()}
    raise DataError(
        f"the default {value!r:.80} cannot be carried with a model: allowed are numbers, text, booleans, bytes, "
        "decimals, dates and timestamps"
    )


def _value_in(value: object) -> object:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "timestamp":
        return _EPOCH + timedelta(microseconds=inner)
    if kind == "date":
        return date.fromisoformat(inner)
    return Decimal(inner) if kind == "decimal" else base64.b64decode(inner)
