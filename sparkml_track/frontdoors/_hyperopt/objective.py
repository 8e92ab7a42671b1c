"""A function that was given to hyperopt's ``fmin``, as an objective of a sweep, and its results on their way back.

A loss and other numbers travel as metrics. The rest of a result, attachments, and what is known of an exception travel
as a pickle in the trial's artifacts, from where the driver takes it: it is code of the user's own slots that the driver
loads then, as with hyperopt's own ``SparkTrials``. Slots import this module or get it by value: at the top it
imports the standard library alone, and what it refers to can be pickled.
"""

from __future__ import annotations

import inspect
import json
import pickle
import re
import traceback
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Objective", "Returned", "returned"]

#: Comes first of what an attempt leaves, so that nothing else takes its place under the limit.
_FILE = ".hyperopt"
#: Bytes; what an attempt may leave.
_LIMIT = 256 << 20
_METRICS = 1000
_METRIC_NAME = re.compile(r"[\w\-. :/]{1,250}")
#: ("result", dictionary) or ("error", type, traceback, pickled exception or None).
Returned = tuple[Any, ...]


class _Trial(Protocol):
    """What is used of the trial in the slot."""

    @property
    def params(self) -> Mapping[str, Any]: ...

    @property
    def artifact_dir(self) -> str: ...


class Objective:
    """Calls the user's function with the point of the space that a trial stands for.

    It has the function's name and source, and takes one argument, the trial.

    Args:
        domain: hyperopt's, with function and space.
        names: labels to the names they are recorded under.
        options: labels of choices to the recorded forms of their options, as JSON.
    """

    def __init__(self, domain: Any, names: Mapping[str, str], options: Mapping[str, list[str]]) -> None:
        self._domain, self._names, self._options = domain, names, options
        update_wrapper(self, _inner(domain.fn), updated=())
        parameter = inspect.Parameter("trial", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        # How many arguments the function takes is hyperopt's to find out: it calls it.
        self.__signature__ = inspect.Signature([parameter])

    def __call__(self, trial: _Trial) -> dict[str, float]:
        try:
            result = self._domain.evaluate(self.values(trial.params), None, attach_attachments=False)
            if "attachments" in result:
                result["attachments"] = dict(result["attachments"])
        except Exception as error:
            _leave(trial, ("error", str(type(error)), traceback.format_exc(), _pickled(error)))
            raise
        if set(result) != {"loss", "status"}:
            _leave(trial, ("result", result))
        if result["status"] != "ok":
            raise RuntimeError(f"the objective returned the status {result['status']!r}{_why(result)}")
        return _metrics(result)

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What hyperopt has for the labels in use; for a choice the index of its option."""
        found = {label: params[name] for label, name in self._names.items() if name in params}
        return {label: self._value(label, value) for label, value in found.items()}

    def _value(self, label: str, recorded: Any) -> Any:
        if label not in self._options:
            return recorded
        return self._options[label].index(json.dumps(recorded, sort_keys=True))


def _inner(function: Callable[..., object]) -> Callable[..., object]:
    return _inner(function.func) if isinstance(function, partial) else function


def _why(result: Mapping[str, Any]) -> str:
    """The key is hyperopt's convention."""
    return f": {str(result['status_fail'])[:500]}" if "status_fail" in result else ""


def _metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The loss, and what else is a number under a name that a tracking store takes."""
    numbers = {"loss": result["loss"]}
    for name, value in result.items():
        if _METRIC_NAME.fullmatch(str(name)) and _is_number(value) and len(numbers) < _METRICS:
            numbers[str(name)] = float(value)
    return numbers


def _is_number(value: object) -> bool:
    """Whether it fits a metric; a bool is none."""
    if isinstance(value, bool):
        return False
    return isinstance(value, Real) and (not isinstance(value, Integral) or abs(int(value)) < 2**63)


def _leave(trial: _Trial, what: Returned) -> None:
    import cloudpickle

    data = cloudpickle.dumps(what)
    if len(data) > _LIMIT:
        raise ValueError(f"the objective returned {len(data):,} bytes; allowed are {_LIMIT:,}: write files instead")
    Path(trial.artifact_dir, _FILE).write_bytes(data)


def _pickled(error: BaseException) -> bytes | None:
    """None for an exception that does not survive it."""
    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(error)
        pickle.loads(data)  # noqa: S301 - it was made here
    except Exception:  # noqa: BLE001 - it is of the user's classes
        return None
    return data


def returned(folder: str) -> Returned | None:
    """What an attempt left for the driver in the folder of its artifacts; it is taken out of there.

    Raises:
        Exception: whatever keeps it from being loaded here.
    """
    path = Path(folder, _FILE)
    if not folder or not path.exists():
        return None
    data = path.read_bytes()
    path.unlink()
    found: Returned = pickle.loads(data)  # noqa: S301 - from slots of the user's own, which are authenticated
    return found
