"""What Spark's Python workers do with rows that are sorted by their keys: write the groups, and score them.

Sent by value: nothing here may refer to another module of the package. Needs numpy, pandas and pyarrow there. Rows pass
in batches, so that a group may be larger than memory while it is written or scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "FIELDS",
    "HASH",
    "MODEL",
    "PATH",
    "RANK",
    "RESERVED",
    "Predict",
    "Scoring",
    "Writing",
    "pandas_of",
    "write_groups",
]

#: How the columns begin that are added to the user's.
RESERVED = "__sparkml_"
HASH, RANK, MODEL, PATH = (f"{RESERVED}{name}" for name in ("hash", "rank", "model", "path"))
#: Where a group lies: file, number of the batch it begins in, row in that batch, rows, sum of the hashes of its rows.
FIELDS = tuple(f"{RESERVED}{name}" for name in ("file", "batch", "offset", "rows", "digest"))


@dataclass(frozen=True)
class Writing:
    """Where the rows of groups go.

    Attributes:
        keys: columns by which the rows are sorted.
        folder: takes a file for each partition.
    """

    keys: Sequence[str]
    folder: str


def write_groups(writing: Writing, batches: Iterable[Any]) -> Iterator[Any]:
    """Writes one partition as an Arrow file; gives keys and ``FIELDS`` of each group. The last column is ``HASH``."""
    import os
    import uuid

    import pyarrow as pa

    path = os.path.join(writing.folder, f"{uuid.uuid4().hex}.arrow")  # noqa: PTH118 - as slots open it
    writer, found = None, _Found(writing.keys)
    try:
        for number, batch in enumerate(batch for batch in batches if batch.num_rows):
            rows = pa.RecordBatch.from_arrays(batch.columns[:-1], schema=batch.schema.remove(batch.num_columns - 1))
            writer = writer or pa.ipc.new_file(path, rows.schema)
            writer.write_batch(rows)
            found.add(number, rows, batch.column(batch.num_columns - 1))
    finally:
        if writer is not None:
            writer.close()
    if found.places:
        yield found.index(path)


class _Found:
    """The groups of a partition."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._last: tuple[Any, ...] | None = None
        self._columns: list[list[Any]] = [[] for _ in keys]
        self.places: list[list[int]] = []

    def add(self, number: int, rows: Any, hashes: Any) -> None:
        """Takes the groups of one batch; its first may go on from the batch before."""
        import numpy as np
        import pyarrow as pa

        starts = _starts(rows, self._keys)
        sums = np.add.reduceat(np.asarray(hashes).view("u8"), starts)  # wraps around, whatever the order of the rows
        counts = np.diff([*starts, rows.num_rows])
        first = 0
        if _key(rows, self._keys, 0) == self._last:
            self.places[-1][2] += int(counts[0])
            self.places[-1][3] = (self.places[-1][3] + int(sums[0])) % 2**64
            first = 1
        self._last = _key(rows, self._keys, int(starts[-1]))
        for start, count, total in zip(starts[first:], counts[first:], sums[first:], strict=True):
            self.places.append([number, int(start), int(count), int(total)])
        for column, key in zip(self._columns, self._keys, strict=True):
            column.append(rows.column(key).take(pa.array(starts[first:])))

    def index(self, path: str) -> Any:
        """One row for each group."""
        import pyarrow as pa

        batch, offset, rows, digest = zip(*self.places, strict=True)
        signed = [number - 2**64 if number >= 2**63 else number for number in digest]
        keys = [pa.concat_arrays(column) for column in self._columns]
        numbers = [pa.array(list(values), pa.int64()) for values in (batch, offset, rows, signed)]
        arrays = [*keys, pa.array([path] * len(rows), pa.string()), *numbers]
        return pa.RecordBatch.from_arrays(arrays, [*self._keys, *FIELDS])


def _starts(rows: Any, keys: Sequence[str]) -> Any:
    """The rows whose keys differ from those of the row before."""
    import numpy as np

    changed = np.zeros(rows.num_rows, dtype=bool)
    changed[0] = True
    for key in keys:
        codes = np.asarray(rows.column(key).dictionary_encode("encode").indices)
        changed[1:] |= codes[1:] != codes[:-1]
    return np.flatnonzero(changed)


def _key(rows: Any, keys: Sequence[str], at: int) -> tuple[Any, ...]:
    return tuple(rows.column(key)[at].as_py() for key in keys)


def pandas_of(rows: Any, local: bool) -> Any:
    """Arrow rows as ``applyInPandas`` gives them.

    Args:
        rows: a table.
        local: instants become times of the session's zone, without a zone.
    """
    frame = rows.to_pandas(use_threads=False)
    for field in rows.schema if local else ():
        if getattr(field.type, "tz", None) is not None:
            frame[field.name] = frame[field.name].dt.tz_localize(None)
    return frame


@dataclass(frozen=True)
class Predict:
    """What calls a model that has the interface of scikit-learn.

    Attributes:
        features: columns that it gets; None for those it was fitted on, where it knows them.
    """

    features: Sequence[str] | None

    def __call__(self, model: Any, frame: Any) -> Any:
        """Predictions of the rows.

        Raises:
            TypeError: it has no ``predict``, or nobody said which columns it gets.
        """
        kind = type(model).__name__
        if not hasattr(model, "predict"):
            raise TypeError(f"the model is a {kind} without predict(); give predict=, a function of model and rows")
        known = getattr(model, "feature_names_in_", None)
        names = known if self.features is None else self.features
        if names is None:
            raise TypeError(
                f"the model, a {kind}, does not know the names of its features; give features=, or predict="
            )
        return model.predict(frame[list(names)])


@dataclass(frozen=True)
class Scoring:
    """How rows are scored. Batches have the user's columns, then ``RANK``, ``MODEL`` and ``PATH``.

    A row of rank 0 brings the model of its keys and comes before the rows of rank 1 that it scores.

    Attributes:
        keys: columns by which the rows are sorted.
        predict: gives values for a model and a pandas data frame.
        output: the name of the new column.
        strict: whether rows without a model are an error.
    """

    keys: Sequence[str]
    predict: Callable[[Any, Any], Any]
    output: str
    strict: bool

    def score(self, schema: bytes, batches: Iterable[Any]) -> Iterator[Any]:
        """Gives the rows of rank 1 with their scores; ``schema`` is Arrow's, of what is given."""
        import pyarrow as pa

        kind = pa.ipc.read_schema(pa.py_buffer(schema))
        current: tuple[tuple[Any, ...] | None, _Model] = (None, _Model())
        for batch in batches:
            made = []
            starts = [int(start) for start in _starts(batch, self.keys)] if batch.num_rows else []
            for start, end in zip(starts, [*starts[1:], batch.num_rows], strict=True):
                rows, key = batch.slice(start, end - start), _key(batch, self.keys, start)
                model = current[1] if key == current[0] else _Model()
                current = (key, model)
                if rows.column(RANK)[0].as_py() == 0:
                    model.take(rows.column(MODEL)[0].as_py(), rows.column(PATH)[0].as_py())
                    rows = rows.slice(1)
                if rows.num_rows:
                    made.append(self._scored(rows, key, model, kind))
            yield from made

    def _scored(self, rows: Any, key: tuple[Any, ...], model: _Model, kind: Any) -> Any:
        import pyarrow as pa

        last = kind.field(len(kind) - 1).type
        named = ", ".join(f"{name}={value!r}" for name, value in zip(self.keys, key, strict=True))
        columns = rows.columns[: len(kind) - 1]
        if not model.there:
            if self.strict:
                raise LookupError(f"group {named} has no model; missing='null' gives null for its rows")
            return pa.RecordBatch.from_arrays([*columns, pa.nulls(rows.num_rows, last)], schema=kind)
        named_rows = pa.Table.from_arrays(columns, names=rows.schema.names[: len(columns)])
        frame = pandas_of(named_rows, local=True)
        values = self.predict(model.loaded(), frame)
        try:
            scores = pa.array(list(values), last, from_pandas=True)
        except (TypeError, pa.ArrowException) as error:
            raise TypeError(f"group {named}: what predict gave cannot be {last}: {error}; change output_type") from None
        if len(scores) != rows.num_rows:
            raise ValueError(f"group {named}: predict gave {len(scores)} values for {rows.num_rows} rows")
        return pa.RecordBatch.from_arrays([*columns, scores], schema=kind)


class _Model:
    """The model of the current group; loaded when it first has rows."""

    def __init__(self) -> None:
        self._data: bytes | None = None
        self._path: str | None = None
        self._loaded: list[Any] = []

    @property
    def there(self) -> bool:
        return bool(self._loaded) or self._data is not None or self._path is not None

    def take(self, data: bytes | None, path: str | None) -> None:
        self._data, self._path = data, path

    def loaded(self) -> Any:
        import pickle

        if not self._loaded:
            if self._path is not None:
                with open(self._path, "rb") as file:  # noqa: PTH123
                    self._data = file.read()
            self._loaded.append(pickle.loads(self._data))  # type: ignore[arg-type]  # noqa: S301 - the user's own models
            self._data = None
        return self._loaded[0]
