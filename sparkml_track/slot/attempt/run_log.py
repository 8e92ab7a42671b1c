"""What an attempt logs through MLflow, on its way to the driver, which writes it into the child run.

MLflow finds the store of a slot by itself (``_mlflow_store``) and knows nothing of attempts; so the one that executes
in this process is kept here. An objective that never imports MLflow costs nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import ModuleType

from ..host.paths import Places
from ..wire.messages import Logged, Run

__all__ = [
    "MOST",
    "NESTED",
    "NESTED_RUNS",
    "STORE",
    "Recorder",
    "choose_store",
    "current",
    "executing",
    "keep_store",
    "new_run_id",
]

#: Values that one attempt may log, and runs that it may nest in its own.
MOST, NESTED = 200_000, 100
#: In the environment of slots: what becomes of nested runs, "keep", "merge" or "refuse".
NESTED_RUNS = "SPARKML_NESTED_RUNS"
#: Values sent together, bytes of text in them, and seconds for which one waits for others.
_BATCH, _TEXT, _WAIT = 500, 1 << 20, 0.1


#: In the environment: where MLflow finds the store that it uses.
STORE = "MLFLOW_TRACKING_URI"
#: MLflow's modules that keep what a program chose, the name of it there, and the function that chooses.
_CHOICES = (
    ("mlflow.tracking._tracking_service.utils", "_tracking_uri", "set_tracking_uri"),
    ("mlflow.tracking._model_registry.utils", "_registry_uri", "set_registry_uri"),
)


class Recorder:
    """Takes what one attempt logs. Threads: any.

    Args:
        run: the attempt.
        places: for its artifacts.
        send: takes a message to the worker.
        run_id: of the trial's run, as long as it is in the slot.

    Attributes:
        run_id: as given.
        started: seconds since the epoch.
        closers: called at the end of the attempt.
    """

    def __init__(self, run: Run, places: Places, send: Callable[[Logged], None], run_id: str) -> None:
        self.run_id = run_id
        self.started = time.time()
        self.closers: list[Callable[[], None]] = []
        self._run, self._attempt, self._places, self._send = run, run.attempt, places, send
        self._lock = threading.RLock()
        self._waiting: list[list[object]] = []
        self._since, self._text, self._count = 0.0, 0, 0

    @cached_property
    def params(self) -> dict[str, str]:
        """Of the trial, flattened with dots, as text."""
        return dict(_flat(self._run.params))

    @cached_property
    def artifact_dir(self) -> str:
        """As ``trial.artifact_dir``."""
        return self._places.artifact_dir(self._attempt)

    def add(self, values: Sequence[list[object]], text: int = 0) -> None:
        """Takes values: lists of a kind and what belongs to it; see ``executors/_attempts/received``.

        Args:
            values: in order.
            text: how many characters are in them, about.

        Raises:
            ValueError: the attempt has logged too many.
        """
        with self._lock:
            self._count += len(values)
            if self._count > MOST:
                raise ValueError(f"a trial may log {MOST:,} values through MLflow, and this one logs more")
            now = time.monotonic()
            self._since = self._since if self._waiting else now
            self._waiting += values
            self._text += text
            if len(self._waiting) >= _BATCH or self._text >= _TEXT or now - self._since >= _WAIT:
                self.flush()

    def flush(self) -> None:
        """Sends what waits."""
        with self._lock:
            waiting, self._waiting, self._text = self._waiting, [], 0
            for start in range(0, len(waiting), _BATCH):
                self._send(Logged(self._attempt, waiting[start : start + _BATCH]))

    def close(self) -> None:
        """The objective has returned; what MLflow still holds comes first."""
        try:
            for close in self.closers:
                close()
        finally:
            self.flush()


def new_run_id() -> str:
    """An id as MLflow makes them."""
    return os.urandom(16).hex()


def choose_store(uri: str) -> None:
    """MLflow uses a store from now on, if it was imported; empty for what its environment says.

    A choice is quicker for MLflow to find, call after call, but takes it 40 ms the first time: for templates.
    """
    for module, _, choose in _chosen() if uri else ():
        getattr(module, choose)(uri)


def keep_store(uri: str) -> None:
    """The same if a trial has chosen another one, which is not the next trial's."""
    for module, chosen, choose in _chosen() if uri else ():
        if getattr(module, chosen, None) not in {None, uri}:
            getattr(module, choose)(uri)


def _chosen() -> list[tuple[ModuleType, str, str]]:
    return [(sys.modules[name], *rest) for name, *rest in _CHOICES if name in sys.modules]  # type: ignore[misc]


_executing: list[Recorder] = []


def executing(recorder: Recorder) -> None:
    """From now on this is the attempt of this process."""
    _executing[:] = [recorder]


def current() -> Recorder:
    """The attempt of this process.

    Raises:
        LookupError: there is none.
    """
    if not _executing:
        raise LookupError("no attempt executes in this process")
    return _executing[0]


def _flat(params: Mapping[str, object], prefix: str = "") -> Sequence[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in params.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", str(value))]
    return found
