"""The features of rows that are served: looked up in an online store, and computed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sparkml_track.carried import FEATURES_FILE, CarriedFeatures, CarriedLookup
from sparkml_track.errors import DataError, OnlineStoreError
from sparkml_track.online_stores import on_demand
from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._codec import instant
from sparkml_track.online_stores._values import MICROSECOND, OnlineRow, Publication
from sparkml_track.online_stores.functions import loaded

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RowFeatures", "features_of_rows", "online_features"]


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


class _OnlineFeatures:
    def __init__(self, carried: CarriedFeatures, store: OnlineStore, functions: Sequence[on_demand.Computed]) -> None:
        self._carried = carried
        self._store = store
        self._functions = {function.output: function for function in functions}
        self._types = on_demand.parsed_types(carried.types)

    def add(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        frame, missing = rows.copy(deep=False), 0
        needed = self._carried.needed(frame.columns)
        for lookup in needed.lookups:
            missing += self._look_up(frame, lookup)
        for function in needed.functions:
            self._compute(frame, self._functions[function.output])
        if absent := [name for name in self._carried.columns if name not in frame.columns]:
            raise DataError(
                f"the rows have no column {', '.join(absent)}; they have {', '.join(map(str, rows.columns))}"
            )
        return frame[list(self._carried.columns)], missing

    def _look_up(self, frame: pd.DataFrame, lookup: CarriedLookup) -> int:
        if absent := [column for column in lookup.keys if column not in frame.columns]:
            raise DataError(
                f"the rows have no column {', '.join(absent)}, by which {', '.join(lookup.outputs)} of {lookup.table} "
                "are looked up: give it, or the features"
            )
        now = datetime.now(UTC)
        answers = self._store.get_many(lookup.table, _keys(frame, lookup), now=now)
        times = _times(frame, lookup, answers.publication, now)
        found = [_known(row, at, lookup) for row, at in zip(answers.rows, times, strict=True)]
        for name, feature in lookup.outputs.items():
            frame[name] = self._column(name, feature, found, lookup.defaults.get(name)).set_axis(frame.index)
        return sum(row is None for row in found)

    def _column(self, name: str, feature: str, found: Sequence[OnlineRow | None], default: object) -> pd.Series:
        values = [None if row is None else row.values[feature] for row in found]
        if default is not None:
            values = [default if value is None else value for value in values]
        return on_demand.series(values, self._types[name])

    def _compute(self, frame: pd.DataFrame, function: on_demand.Computed) -> None:
        if absent := [column for column in function.bindings.values() if column not in frame.columns]:
            raise DataError(f"the rows have no column {', '.join(absent)}, from which {function.output} is computed")
        try:
            frame[function.output] = self._computed(frame, function).set_axis(frame.index)
        except on_demand.FunctionFailed as error:
            raise DataError(str(error)) from error

    def _computed(self, frame: pd.DataFrame, function: on_demand.Computed) -> pd.Series:
        given = {column: self._typed(frame[column]) for column in function.bindings.values()}
        return on_demand.computed(function, given, self._types[function.output])

    def _typed(self, column: pd.Series) -> pd.Series:
        """As the function saw it in training; as it is, where nobody knows how."""
        kind = self._types.get(str(column.name))
        return column if kind is None else on_demand.typed(column, kind)


def _keys(frame: pd.DataFrame, lookup: CarriedLookup) -> list[tuple[object, ...]]:
    return list(zip(*(frame[column].tolist() for column in lookup.keys), strict=True))


def _times(frame: pd.DataFrame, lookup: CarriedLookup, publication: Publication, now: datetime) -> Sequence[int | None]:
    """The time of each row in microseconds; that of now where the rows have none, or the table no timestamp."""
    if lookup.time is None or publication.timestamp is None or lookup.time not in frame.columns:
        return [instant(now)] * len(frame)
    return [_time(value, lookup.time) for value in frame[lookup.time].tolist()]


def _time(value: Any, column: str) -> int | None:
    if value is None or value != value:
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
