"""The features of rows that are served: looked up in an online store, and computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sparkml_track.carried import FEATURES_FILE, CarriedFeatures, CarriedLookup
from sparkml_track.errors import DataError, OnlineStoreError
from sparkml_track.online_stores import on_demand
from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._codec import instant, is_null
from sparkml_track.online_stores._values import MICROSECOND, OnlineRow, Publication
from sparkml_track.online_stores.functions import loaded

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RowFeatures", "features_of_rows", "in_types_of_model", "online_features"]


#: MLflow's names of types to those of pandas.
_DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}


class RowFeatures(Protocol):
    """Adds features to rows that come without. Any number of threads may use it."""

    def add(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        """Look features up and compute those on demand.

        Args:
            rows: keys, and columns that are features already. A feature that is among them is taken as it is.

        Returns:
            The columns of the model, in its order, with the index of ``rows``; and how many look-ups found nothing
            that may be given out: a key nobody knows, a row too old, or one that was not known at the row's time.
            Their features are null, or the default.

        Raises:
            DataError: a column that is needed is missing, or has values of another type; or a function raised.
            OnlineStoreError: the store is away, or a table is not published.
        """


def online_features(model_folder: Path, store: OnlineStore, *, allow_code: bool = False) -> RowFeatures | None:
    """Give what adds a model's features to rows.

    Args:
        model_folder: of a model, its files checked by the caller.
        store: where its tables are published. It is not owned.
        allow_code: whether functions may be read from the model's files where they cannot be imported here. That runs
            whatever the files hold.

    Returns:
        None where the model carries no look-ups.

    Raises:
        DataError: what the model carries cannot be read, or a function of it is not here.
        OnlineStoreError: the store is away, or lacks a table or a column that the model needs.
    """
    file = model_folder / FEATURES_FILE
    if not file.is_file():
        return None
    return features_of_rows(CarriedFeatures.from_json(file.read_text()), store, allow_code=allow_code)


def features_of_rows(carried: CarriedFeatures, store: OnlineStore, *, allow_code: bool = False) -> RowFeatures:
    """Give what adds these features to rows.

    Args:
        carried: by a model, or a feature spec.
        store: see ``online_features``.
        allow_code: see ``online_features``.

    Raises:
        DataError: see ``online_features``.
        OnlineStoreError: see ``online_features``.
    """
    for lookup in carried.lookups:
        _check_published(lookup, store)
    return _OnlineFeatures(carried, store, [loaded(each, allow_code=allow_code) for each in carried.functions])


def in_types_of_model(frame: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Columns in the types that a model was fitted on, as batch scoring has them: tables may have wider ones.

    Args:
        frame: of features. Whole numbers and booleans with a null become float64, which has one.
        kinds: column to type, by MLflow's names; others stay as they are.

    Raises:
        DataError: a column has other values.
    """
    changed = {
        name: _in_type(frame[name], kind, _DTYPES[kind])
        for name, kind in kinds.items()
        if kind in _DTYPES and frame[name].dtype != _DTYPES[kind]
    }
    return frame.assign(**changed) if changed else frame


def _in_type(column: pd.Series, kind: str, wanted: str) -> pd.Series:
    import numpy as np

    if wanted.startswith(("int", "bool")) and column.hasnans:
        wanted = "float64"
    try:
        with np.errstate(over="ignore"):
            # Decimals and booleans with a null are objects.
            return (column.astype("float64") if column.dtype == object else column).astype(wanted)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the column {column.name!r} holds no {kind}, which the model takes: {error!s:.200}") from error


class _OnlineFeatures:
    def __init__(self, carried: CarriedFeatures, store: OnlineStore, functions: Sequence[on_demand.Computed]) -> None:
        self._carried = carried
        self._store = store
        self._functions = {function.output: function for function in functions}
        self._types = on_demand.parsed_types(carried.types)

    def add(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        if not rows.columns.is_unique:
            raise DataError(f"the rows have columns of the same name: {', '.join(map(str, rows.columns))}")
        needed, made, missing = self._carried.needed(set(rows.columns)), _Made(rows), 0
        for lookup in needed.lookups:
            missing += self._look_up(made, lookup)
        for function in needed.functions:
            self._compute(made, self._functions[function.output])
        return made.frame(self._carried.columns), missing

    def _look_up(self, made: _Made, lookup: CarriedLookup) -> int:
        what = f", by which {', '.join(lookup.outputs)} of {lookup.table} are looked up: give it, or the features"
        keys = list(zip(*(made.column(column, what).tolist() for column in lookup.keys), strict=True))
        now = datetime.now(UTC)
        answers = self._store.get_many(lookup.table, keys, now=now)
        times = _times(made, lookup, answers.publication, now)
        found = [_known(row, at, lookup) for row, at in zip(answers.rows, times, strict=True)]
        for name, feature in lookup.outputs.items():
            values = [None if row is None else row.values[feature] for row in found]
            default = lookup.defaults.get(name)
            if default is not None:
                values = [default if value is None else value for value in values]
            made.values[name] = on_demand.values_of(values, self._types[name])
        return sum(row is None for row in found)

    def _compute(self, made: _Made, function: on_demand.Computed) -> None:
        what = f", from which {function.output} is computed"
        try:
            given = {column: self._given(made, column, what) for column in function.bindings.values()}
            made.values[function.output] = on_demand.computed(function, given, self._types[function.output])
        except on_demand.FunctionFailed as error:
            raise DataError(str(error)) from error

    def _given(self, made: _Made, name: str, what: str) -> pd.Series:
        """A column as the function saw it in training; as it is, where nobody knows how."""
        column, kind = made.column(name, what), self._types.get(name)
        return column if kind is None or name in made.values else on_demand.typed(column, kind)


class _Made:
    """Rows, with the columns that were made for them."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        #: Without an index: a column of a data frame is slow to add, and quick to make with all others.
        self.values: dict[str, Any] = {}

    def column(self, name: str, what: str) -> pd.Series:
        """One of both.

        Raises:
            DataError: there is none; ``what`` ends the sentence.
        """
        import pandas as pd

        if name in self.values:
            return pd.Series(self.values[name], name=name, copy=False)
        if name not in self.rows.columns:
            raise DataError(f"the rows have no column {name}{what}; they have {', '.join(map(str, self.rows.columns))}")
        return self.rows[name]

    def frame(self, names: Sequence[str]) -> pd.DataFrame:
        """These columns, in this order.

        Raises:
            DataError: one is not there.
        """
        import pandas as pd

        columns = {name: self.values[name] if name in self.values else self.column(name, "").array for name in names}
        return pd.DataFrame(columns, index=self.rows.index, copy=False)


def _times(made: _Made, lookup: CarriedLookup, publication: Publication, now: datetime) -> Sequence[int | None]:
    """The time of each row in microseconds; that of now where the rows have none, or the table no timestamp."""
    if lookup.time is None or publication.timestamp is None or lookup.time not in made.rows.columns:
        return [instant(now)] * len(made.rows)
    return [_time(value, lookup.time) for value in made.rows[lookup.time].tolist()]


def _time(value: Any, column: str) -> int | None:
    if is_null(value):
        return None
    try:
        return instant(datetime.fromisoformat(value) if isinstance(value, str) else value)
    except (TypeError, ValueError, AttributeError):
        raise DataError(f"the column {column!r} holds instants with a time zone, or dates; got {value!r:.80}") from None


def _known(row: OnlineRow | None, at: int | None, lookup: CarriedLookup) -> OnlineRow | None:
    """The row if it was known at that time, and is not older than the model looks back."""
    if row is None or row.known_at is None:
        return row
    if at is None:
        return None
    age = at - instant(row.known_at)
    came: Any = row.values[lookup.known] if lookup.known else row.known_at
    fresh = came is not None and min(age, at - instant(came)) >= 0
    return row if fresh and (lookup.lookback is None or age <= lookup.lookback // MICROSECOND) else None


def _check_published(lookup: CarriedLookup, store: OnlineStore) -> None:
    there = store.get_many(lookup.table, []).publication
    needed = [*lookup.outputs.values(), *([lookup.known] if lookup.known else [])]
    problems = [f"no column {name!r}" for name in needed if name not in there.schema.names]
    if there.keys != tuple(lookup.keys.values()):
        problems.append(f"the keys ({', '.join(there.keys)}), not ({', '.join(lookup.keys.values())})")
    if problems:
        raise OnlineStoreError(
            f"{lookup.table} version {there.version} in {store.address} has {' and '.join(problems)}, which the model "
            "needs: publish the table as it was, or log the model again"
        )
