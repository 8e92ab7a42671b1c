"""Moves of events through windows into values of features: what Spark's Python workers execute, sent by value.

It needs pyarrow there, and nothing here may refer to a module of the package that is not sent as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sparkml_track.features.aggregation.parts import Distinct, Latest, Ordered, Sums

__all__ = ["Moved", "Output", "Values"]

#: Which part of what is kept tells an aggregate.
_PART = {"sum": "sums", "mean": "sums", "std": "sums", "min": "ordered", "max": "ordered", "quantile": "ordered",
         "distinct": "distinct", "last": "latest"}  # fmt: skip
#: How that part tells it.
_RESULTS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda part, _: part.total(),
    "mean": lambda part, _: part.mean(),
    "std": lambda part, _: part.std(),
    "min": lambda part, _: part.at(0),
    "max": lambda part, _: part.at(-1),
    "quantile": lambda part, output: part.quantile(output.quantile),
    "distinct": lambda part, _: part.number(),
    "last": lambda part, _: part.value(),
}


@dataclass(frozen=True)
class Values:
    """A column of the events.

    Attributes:
        kinds: the aggregates that are wanted of it.
        number: "whole", "floating", "decimal", or "" for what is not a number.
        scale: of a decimal.
    """

    kinds: frozenset[str]
    number: str = ""
    scale: int = 0

    def parts(self) -> dict[str, Any]:
        """What is kept of it in a window, still empty."""
        wanted = {_PART[kind] for kind in self.kinds if kind != "count"}
        made: dict[str, Callable[[], Any]] = {
            "sums": lambda: Sums(self.number, self.scale, "std" in self.kinds),
            "ordered": Ordered,
            "distinct": Distinct,
            "latest": Latest,
        }
        return {name: make() for name, make in made.items() if name in wanted}


@dataclass(frozen=True)
class Output:
    """A column of the result.

    Attributes:
        name: in the result of the worker.
        window: its number.
        column: the number of its column, -1 for events.
        kind: of the aggregate.
        type: in Arrow.
        quantile: of a quantile.
        said: the feature's name, for messages.
    """

    name: str
    window: int
    column: int
    kind: str
    type: Any
    quantile: float
    said: str


class _Held:
    """What one window of one key holds of one column."""

    __slots__ = ("count", "parts", "takers")

    def __init__(self, values: Values | None) -> None:
        self.count = 0
        self.parts = values.parts() if values else {}
        self.takers = tuple(self.parts.values())

    def change(self, value: Any, order: Any, enters: bool) -> None:
        if value is None:
            return
        self.count += 1 if enters else -1
        for part in self.takers:
            if enters:
                part.add(value, order)
            else:
                part.remove(value, order)

    def result(self, output: Output) -> Any:
        if output.kind == "count":
            return self.count
        return _RESULTS[output.kind](self.parts[_PART[output.kind]], output)


@dataclass(frozen=True)
class Moved:
    """For ``DataFrame.mapInArrow``: follows events into and out of windows.

    It takes rows in the order of keys and time, one for each move: ``_first`` (the first of its key), ``_ends`` (the
    last of its key and time), ``_windows`` (bits of the windows that it is about), ``_enters``, ``_order`` (when the
    event happened and when it was known, where a ``last`` is wanted) and the values ``_v0`` and so on. It gives the
    rows that end a moment, with the outputs instead.

    Attributes:
        columns: of the events.
        windows: how many.
        outputs: of the result.
        kept: columns that pass through.
    """

    columns: tuple[Values, ...]
    windows: int
    outputs: tuple[Output, ...]
    kept: tuple[str, ...]

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """What Spark calls, once for each partition."""
        import pyarrow as pa

        state = _Key(self)
        for batch in batches:
            rows: list[tuple[Any, ...]] = []
            for first, ends, bits, enters, order, *values in self._moves(batch):
                state = _Key(self) if first else state
                state.move(bits, enters, order, values)
                if ends:
                    rows.append(state.row())
            kept = batch.select(list(self.kept)).filter(batch["_ends"])
            made = [_array(pa, [row[place] for row in rows], output) for place, output in enumerate(self.outputs)]
            names = [*self.kept, *(output.name for output in self.outputs)]
            yield pa.RecordBatch.from_arrays([*kept.columns, *made], names=names)

    def _moves(self, batch: Any) -> Iterator[tuple[Any, ...]]:
        taken = ["_first", "_ends", "_windows", "_enters"]
        lists = [batch[name].to_pylist() for name in taken]
        ordered = "_happened" in batch.schema.names
        times = zip(batch["_happened"].to_pylist(), batch["_known"].to_pylist(), strict=True) if ordered else None
        lists.append(list(times) if times is not None else [None] * batch.num_rows)
        lists += [batch[f"_v{place}"].to_pylist() for place in range(len(self.columns))]
        return zip(*lists, strict=True)


class _Key:
    """The windows of one key."""

    __slots__ = ("_changed", "_events", "_held", "_places", "_plan", "_row")

    def __init__(self, plan: Moved) -> None:
        windows = range(plan.windows)
        self._plan = plan
        self._events = [_Held(None) for _ in windows]
        self._held = [[_Held(values) for values in plan.columns] for _ in windows]
        self._places: list[list[int]] = [[] for _ in windows]
        for place, output in enumerate(plan.outputs):
            self._places[output.window].append(place)
        self._row: list[Any] = [None] * len(plan.outputs)
        self._changed = (1 << plan.windows) - 1

    def move(self, bits: int, enters: bool, order: Any, values: list[Any]) -> None:
        """An event enters windows, or leaves them."""
        self._changed |= bits
        while bits:
            window = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            self._events[window].count += 1 if enters else -1
            for held, value in zip(self._held[window], values, strict=True):
                held.change(value, order, enters)

    def row(self) -> tuple[Any, ...]:
        """The outputs as they are now; only those of windows that changed are computed anew."""
        changed, self._changed = self._changed, 0
        while changed:
            window = (changed & -changed).bit_length() - 1
            changed &= changed - 1
            for place in self._places[window]:
                output = self._plan.outputs[place]
                held = self._events[window] if output.column < 0 else self._held[window][output.column]
                self._row[place] = held.result(output)
        return tuple(self._row)


def _array(pa: Any, values: list[Any], output: Output) -> Any:
    try:
        return pa.array(values, output.type)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise OverflowError(
            f"the {output.kind} {output.said!r} is larger than a {output.type} can be; cast its column to double"
        ) from error
