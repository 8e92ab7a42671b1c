"""What trains one group, in a slot: reads its rows, calls the user's function, leaves the model in a file.

The file is named by trial and attempt, so that what an attempt leaves that was given up is never taken for the model.
Slots import this module or get it by value: at the top it imports the standard library and its neighbours alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Protocol

from sparkml_track.frontdoors._groups.fitted import Fitted, SmallSweep, fitted
from sparkml_track.frontdoors._groups.worker import pandas_of

__all__ = ["MODEL_BYTES", "ROWS", "GroupRows", "TrainGroup", "model_file"]

#: Metrics of each group: rows it was trained on, and bytes of its pickled model, if it has one.
ROWS, MODEL_BYTES = "rows", "model_bytes"


def model_file(folder: str, number: int, attempt: int) -> str:
    """Where an attempt leaves the model of a group."""
    return os.path.join(folder, f"{number}.{attempt}.pkl")  # noqa: PTH118 - a slot's path


class _Trial(Protocol):
    """What is used of the trial in the slot."""

    number: int
    seed: int
    attempt: int

    def report(self, metrics: dict[str, float], step: int) -> None: ...


@dataclass(frozen=True)
class GroupRows:
    """Where the rows of each group lie.

    Attributes:
        files: that Spark or the driver wrote.
        places: of each group, the largest first: the number of its file, batch, row in the batch, how many rows.
        names: of each group, for messages.
        local: see ``pandas_of``.
    """

    files: Sequence[str]
    places: Sequence[tuple[int, int, int, int]]
    names: Sequence[str]
    local: bool


@dataclass(frozen=True)
class Limit:
    """What becomes of a group that is too large.

    Attributes:
        max_rows: None for no limit.
        sample: whether it is trained on so many rows of it, drawn without replacement by the trial's seed.
    """

    max_rows: int | None = None
    sample: bool = False

    def apply(self, rows: Any, name: str, seed: int) -> Any:
        """The rows that are trained on, in their order.

        Raises:
            ValueError: there are too many.
        """
        import numpy as np

        if self.max_rows is None or rows.num_rows <= self.max_rows:
            return rows
        if not self.sample:
            raise ValueError(
                f"group {name} has {rows.num_rows:,} rows; max_rows is {self.max_rows:,}: raise it, or take "
                "oversize='sample'"
            )
        chosen = np.random.default_rng(seed).choice(rows.num_rows, self.max_rows, replace=False)
        return rows.take(np.sort(chosen))


class TrainGroup:
    """An objective: trial N trains the N-th largest group.

    It has the name and source of the user's function, and takes one argument, the trial.

    Args:
        fn: the user's.
        rows: of all groups.
        limit: of a group's rows.
        small: the sweep inside of each group; None for one call.
        folder: takes the models.
    """

    def __init__(
        self, fn: Callable[..., Any], rows: GroupRows, limit: Limit, small: SmallSweep | None, folder: str
    ) -> None:
        self._fn, self._rows, self._limit, self._small, self._folder = fn, rows, limit, small, folder
        self._open: dict[str, Any] = {}
        update_wrapper(self, fn, updated=())
        self.__signature__ = _signature()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def __call__(self, trial: _Trial) -> dict[str, Any]:
        """Returns the metrics."""
        rows = self._limit.apply(
            read_rows(self._rows, trial.number, self._open), self._rows.names[trial.number], trial.seed
        )
        found = self._fitted(pandas_of(rows, self._rows.local), trial)
        metrics = {ROWS: rows.num_rows, **found.metrics}
        metrics.pop(MODEL_BYTES, None)
        if found.model is not None:
            metrics[MODEL_BYTES] = keep_model(found.model, model_file(self._folder, trial.number, trial.attempt))
        return metrics

    def _fitted(self, frame: Any, trial: _Trial) -> Fitted:
        return fitted(self._fn(frame)) if self._small is None else self._small.best(self._fn, frame, trial)


def _signature() -> Any:
    """How many arguments the user's function takes is no business of who calls this."""
    import inspect

    return inspect.Signature([inspect.Parameter("trial", inspect.Parameter.POSITIONAL_OR_KEYWORD)])


def read_rows(rows: GroupRows, number: int, opened: dict[str, Any]) -> Any:
    """The rows of one group, mapped; ``opened`` keeps the files of this process."""
    import pandas  # noqa: F401 - the template imports what is imported here, once for all groups
    import pyarrow as pa

    file, batch, offset, left = rows.places[number]
    path = rows.files[file]
    if path not in opened:
        opened[path] = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(_mapped(path))))
    parts = []
    while left:
        part = opened[path].get_batch(batch).slice(offset, left)
        parts.append(part)
        batch, offset, left = batch + 1, 0, left - part.num_rows
    return pa.Table.from_batches(parts)


def _mapped(path: str) -> Any:
    """By Python: Arrow's own files start threads, and a process with new threads executes no other attempt."""
    import mmap

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a slot's path
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"the rows of the group are not at {path} on this host; storage= must be a folder that is mounted at the "
            "same path on the driver and on all hosts"
        ) from None


def keep_model(model: Any, path: str) -> int:
    """Writes a model, which counts once the attempt is accepted; returns its bytes.

    Raises:
        TypeError: it cannot be pickled.
    """
    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(model)
    except Exception as error:  # noqa: BLE001 - whatever the user's model raises
        raise TypeError(
            f"the model is a {type(model).__name__} that cannot be pickled ({type(error).__name__}: {error}); return "
            "what it is made of, or metrics alone"
        ) from None
    with open(path, "wb") as file:  # noqa: PTH123 - a slot's path
        file.write(data)
    return len(data)
