"""An objective that was given to ``optimize``, as one of a sweep.

Slots import this module or get it by value: at the top it imports the standard library alone, and what it refers to can
be pickled.
"""

from __future__ import annotations

import gc
import inspect
import json
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial, update_wrapper
from typing import Any

from sparkml_track.frontdoors._optuna.slot_trial import SlotTrial

__all__ = ["Infeasible", "Objective"]

_TEXT, _TRACE = 4_000, 60_000


class Infeasible(Exception):
    """What the objective returned is not a value, in Optuna's words: the trial fails, and the study goes on."""


class Objective:
    """Calls the user's function with a trial of Optuna's surface. It has its name and source.

    Args:
        function: the user's.
        metric: names of the values.
        collect: garbage is collected after each call.
    """

    def __init__(self, function: Callable[[Any], Any], metric: Sequence[str], *, collect: bool) -> None:
        self._function, self._metric, self._collect = function, tuple(metric), collect
        update_wrapper(self, _inner(function), updated=())
        parameter = inspect.Parameter("trial", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.__signature__ = inspect.Signature([parameter])

    def __call__(self, context: Any) -> dict[str, float]:
        trial = SlotTrial(context.door, context.report)
        try:
            returned = self._function(trial)
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            if not _prunes(error):
                context.door.note(json.dumps(["failed", _described(error)]))
                raise
            pruned = _said(error)
        else:
            return self._values(returned)
        finally:
            if self._collect:
                gc.collect()
        context.door.prune(pruned)
        raise AssertionError

    def _values(self, returned: Any) -> dict[str, float]:
        """By metric.

        Raises:
            Infeasible: there are others than the study has.
        """
        if returned is None:
            raise Infeasible("The value None could not be cast to float.")
        values = returned if isinstance(returned, Sequence) else [returned]
        wrong = [text for text in map(_wrong, values) if text]
        if wrong:
            raise Infeasible("; ".join(wrong))
        if len(values) != len(self._metric):
            raise Infeasible(
                f"The number of the values {len(values)} did not match the number of the objectives {len(self._metric)}"
            )
        return {name: float(value) for name, value in zip(self._metric, values, strict=True)}


def _inner(function: Callable[..., object]) -> Callable[..., object]:
    return _inner(function.func) if isinstance(function, partial) else function


def _wrong(value: Any) -> str:
    try:
        number = float(value)
    except (ValueError, TypeError):
        return f"The value {value!r:.200} could not be cast to float"
    return f"The value {value} is not acceptable" if math.isnan(number) else ""


def _prunes(error: BaseException) -> bool:
    return any((one.__module__, one.__name__) == ("optuna.exceptions", "TrialPruned") for one in type(error).__mro__)


def _described(error: BaseException) -> Mapping[str, object]:
    """What the driver learns of an exception: names of its classes, and texts."""
    names = [f"{one.__module__}.{one.__qualname__}"[:200] for one in type(error).__mro__[:50]]
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - the exception's own methods may raise
        trace = "".join(traceback.format_tb(error.__traceback__))
    return {"names": names, "text": _said(error), "trace": trace[-_TRACE:]}


def _said(error: BaseException) -> str:
    try:
        # KeyError shows its argument quoted, and would again.
        only = error.args[0] if len(error.args) == 1 and isinstance(error.args[0], str) else str(error)
        return only[:_TEXT]
    except Exception:  # noqa: BLE001 - likewise
        return ""
