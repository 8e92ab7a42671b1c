"""What executes a batch of calls in a slot, and what came of it on its way back.

Slots import this module or get it by value: at the top it imports the standard library alone.
"""

from __future__ import annotations

import importlib
import io
import os
import pickle
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

__all__ = ["IN_SLOT", "RemoteTraceback", "RunBatch", "array_of", "arrived"]


#: In the environment of slots.
IN_SLOT = "SPARKML_JOBLIB_SLOT"


class _Trial(Protocol):
    """What is used of the trial in the slot."""

    @property
    def payload(self) -> bytes: ...

    def give(self, data: bytes) -> None: ...

    def file(self, name: str) -> str: ...


class RemoteTraceback(Exception):
    """The traceback in a slot, as the cause of the exception that was raised there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text

    def __str__(self) -> str:
        return f'\n"""\n{self._text}"""'


def array_of(name: str, mode: Any, find: Callable[[str], str] = str) -> Any:
    """A large array of a batch, mapped from the file of that name; a pickled batch has this in its place."""
    import numpy

    return numpy.load(find(name), mmap_mode=mode, allow_pickle=False)


@dataclass(frozen=True)
class RunBatch:
    """The objective: calls what the attempt's payload holds and gives the results back, or what was raised.

    Attributes:
        modules: imported when this is unpickled: once for a host, by the process that all others are forked from.
    """

    modules: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, trial: Any) -> float:
        try:
            data = _dumped((True, _Unpickler(trial).load()()))
        except BaseException as error:  # noqa: BLE001 - also SystemExit: it is raised where Parallel was called
            data = _failure(error)
        trial.give(data)
        return 0.0

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        os.environ[IN_SLOT] = "1"
        for name in self.modules:
            with suppress(Exception):  # a batch that needs it says so
                importlib.import_module(name)
        _register_in_slot()


def _register_in_slot() -> None:
    """What a task calls in parallel by this backend's name runs in the task: its slot is one."""
    from joblib.parallel import SequentialBackend, register_parallel_backend

    def nested(nesting_level: int | None = None, **_: object) -> Any:
        return SequentialBackend(nesting_level=nesting_level)

    register_parallel_backend("sparkml", nested)


class _Unpickler(pickle.Unpickler):
    """Loads what the driver made, which is trusted; knows where large arrays lie here."""

    def __init__(self, trial: _Trial) -> None:
        super().__init__(io.BytesIO(trial.payload))
        self._trial = trial

    def find_class(self, module: str, name: str) -> Any:
        if name == array_of.__name__ and module.endswith("frontdoors._joblib.batches"):
            return partial(array_of, find=self._trial.file)
        return super().find_class(module, name)


def _dumped(value: object) -> bytes:
    """A pickle; arrays that are mapped from files of ours go as plain ones, since the files stay in the slot."""
    import sys

    import cloudpickle

    numpy = sys.modules.get("numpy")

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if numpy is not None and type(obj) is numpy.memmap:
                return numpy.array(obj, subok=False, copy=None).view(numpy.ndarray).__reduce_ex__(5)
            return super().reducer_override(obj)

    buffer = io.BytesIO()
    Pickler(buffer, protocol=5).dump(value)
    return buffer.getvalue()


def _failure(error: BaseException) -> bytes:
    """What was raised and its traceback; of an exception that cannot be pickled, that it cannot, and the same text."""
    text = "".join(traceback.format_exception(error))
    with suppress(Exception):
        data = _dumped((False, (error, text)))
        pickle.loads(data)  # noqa: S301 - it was made here; some exceptions fail only here
        return data
    said = traceback.format_exception_only(error)[-1].strip()[:500]
    why = pickle.PicklingError(f"what a task raised cannot be pickled: {said}; see the cause for its traceback")
    return _dumped((False, (why, text)))


def arrived(data: bytes) -> Any:
    """The results of a batch; loads a pickle that a slot made, and only what came from an authenticated slot.

    Raises:
        BaseException: what the batch raised, with the traceback in the slot as its cause.
        pickle.UnpicklingError: the results cannot be loaded here.
    """
    try:
        well, value = pickle.loads(data)  # noqa: S301 - see above
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:500]
        raise pickle.UnpicklingError(
            f"what tasks returned cannot be loaded by the driver ({said}); return what can be pickled, of modules that "
            "the driver has too"
        ) from error
    if well:
        return value
    raised, text = value
    raised.__cause__ = RemoteTraceback(text)
    raise raised
