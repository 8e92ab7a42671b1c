"""The trial that an objective of Optuna gets in a slot: its study, sampler and pruner are on the driver.

Slots import this module or get it by value: it imports the standard library alone. Values travel as JSON. What the
driver has given along or said before is not asked again; the driver is sent a note then, so that the study has each
parameter as soon as the objective has it.
"""

from __future__ import annotations

import builtins
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from numbers import Integral
from typing import Any, Protocol

__all__ = ["SCORES", "SlotTrial"]

#: The system attribute of Optuna's that a slot may set.
SCORES = "terminator:cv_scores"
#: Seconds between a report and the question that follows it.
_AT_ONCE = 0.002
_CHOICE = (type(None), bool, int, float, str)


class _Door(Protocol):
    """What is used of the attempt's line to the driver."""

    @property
    def along(self) -> Any: ...

    def note(self, body: str) -> None: ...

    def ask(self, body: str) -> str: ...

    def hold(self) -> None: ...


class SlotTrial:
    """As ``optuna.Trial``, in a slot. Threads: one.

    Args:
        door: the line to the driver.
        report: sends metrics and a step.

    Attributes:
        number: of the trial, in its study.
    """

    def __init__(self, door: _Door, report: Callable[[Mapping[str, float], int], None]) -> None:
        along = door.along
        self.number: int = along["number"]
        self._door, self._send = door, report
        self._metric: Sequence[str] = along["metric"]
        self._prunes: bool = along["prunes"]
        self._fixed: dict[str, Any] = along["fixed"]
        self._known: dict[str, list[Any]] = along["known"]
        self._start: str | None = along["start"]
        self._user_attrs: dict[str, Any] = along["attrs"]
        self._constraints: dict[str, float] = along["constraints"]
        self._relative: dict[str, list[Any]] = {}
        self._params: dict[str, Any] = {name: value for name, (_, value) in self._known.items()}
        self._reported: set[int] = set()
        # Whether the last report was followed by a question at once: the next one waits for it then, to go together.
        self._asks, self._when = False, 0.0
        optuna = sys.modules.get("optuna")
        if optuna is not None:  # isinstance(trial, optuna.trial.BaseTrial)
            optuna.trial.BaseTrial.register(SlotTrial)

    # -- suggestions

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """See Optuna."""
        given = {"step": step, "low": low, "high": high, "log": log}
        value: float = self._suggest(name, "FloatDistribution", given)
        return value

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """See Optuna."""
        given = {"log": log, "step": step, "low": low, "high": high}
        return int(self._suggest(name, "IntDistribution", given))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """See Optuna; choices are None, bools, numbers and text, as for any storage that lasts.

        Raises:
            TypeError: one is not; pass the name of it, and look it up in the objective.
        """
        choices = tuple(choices)
        wrong = next((one for one in choices if not isinstance(one, _CHOICE)), None)
        if wrong is not None:
            raise TypeError(
                f"choice {wrong!r:.80} of {name!r} is a {type(wrong).__name__}; allowed are None, bool, int, float and "
                "str, which can travel to the driver: suggest a name, and look it up in the objective"
            )
        value = self._suggest(name, "CategoricalDistribution", {"choices": choices})
        text = _json(value)
        return next((one for one in choices if _json(one) == text), value)

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """See Optuna, which has deprecated it."""
        return self._deprecated("suggest_uniform", "", self.suggest_float(name, low, high))

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """See Optuna, which has deprecated it."""
        return self._deprecated("suggest_loguniform", "(..., log=True)", self.suggest_float(name, low, high, log=True))

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """See Optuna, which has deprecated it."""
        value = self.suggest_float(name, low, high, step=q)
        return self._deprecated("suggest_discrete_uniform", "(..., step=...)", value)

    @staticmethod
    def _deprecated(name: str, arguments: str, value: float) -> float:
        warnings.warn(
            f"{name} has been deprecated in Optuna 3.0.0. Use suggest_float{arguments} instead.",
            FutureWarning,
            stacklevel=3,
        )
        return value

    def _suggest(self, name: str, kind: str, given: Mapping[str, Any]) -> Any:
        distribution, form = (_json({"name": kind, "attributes": one}) for one in (given, _as_stored(kind, given)))
        before = self._known.get(name)
        if before is not None and before[0] == form:
            return before[1]
        if before is None and self._has(name, kind, given, form):
            value = self._fixed[name] if name in self._fixed else self._relative[name][1]
            self._door.note(_json(["took", name, distribution]))
        else:
            reply = self._ask("suggest", name, distribution)
            value = reply["value"]
            self._relative.update(reply.get("relative", {}))
        if before is None:
            self._known[name] = [form, value]
            self._params[name] = value
        return value

    def _has(self, name: str, kind: str, given: Mapping[str, Any], form: str) -> bool:
        """Whether the value is here that the driver will find, too."""
        if name not in self._fixed:
            return name in self._relative and bool(self._relative[name][0] == form)
        value = self._fixed[name]
        if kind == "CategoricalDistribution":
            return _json(value) in map(_json, given["choices"])
        return isinstance(value, int | float) and not isinstance(value, bool)

    # -- reports

    def report(self, value: float, step: int) -> None:
        """See Optuna; returns at once."""
        if len(self._metric) > 1:
            raise NotImplementedError("Trial.report is not supported for multi-objective optimization.")
        try:
            value = float(value)
        except (TypeError, ValueError):
            message = f"The `value` argument is of type '{type(value)}' but supposed to be a float."
            raise TypeError(message) from None
        try:
            step = int(step)
        except (TypeError, ValueError):
            message = f"The `step` argument is of type '{type(step)}' but supposed to be an int."
            raise TypeError(message) from None
        if step < 0:
            raise ValueError(f"`{step=}` must be non-negative.")
        if step in self._reported:
            text = f"The reported value is ignored because this `{step=}` is already reported."
            warnings.warn(text, UserWarning, stacklevel=2)
            return
        if self._asks:
            self._door.hold()
        self._send({self._metric[0]: value}, step)
        self._reported.add(step)
        self._asks, self._when = False, time.monotonic()

    def should_prune(self) -> bool:
        """See Optuna; waits for the study's pruner."""
        if len(self._metric) > 1:
            raise NotImplementedError("Trial.should_prune is not supported for multi-objective optimization.")
        self._asks = time.monotonic() - self._when < _AT_ONCE
        return self._prunes and bool(self._ask("prune", max(self._reported, default=-1))["value"])

    # -- attributes

    def set_user_attr(self, key: str, value: Any) -> None:
        """See Optuna; returns at once.

        Raises:
            TypeError: the value is not JSON.
        """
        value = json.loads(_json(value))
        self._door.note(_json(["attr", str(key), value]))
        self._user_attrs[str(key)] = value

    def set_constraint(self, key: str, value: float) -> None:
        """See Optuna; returns at once."""
        try:
            value = float(value)
        except (TypeError, ValueError):
            message = f"The `value` argument is of type '{type(value)}' but supposed to be a float."
            raise TypeError(message) from None
        if value != value:
            raise ValueError(f"Attempted to set a constraint for {key!r}, but NaN is not allowed.")
        self._door.note(_json(["constraint", str(key), value]))
        self._constraints.setdefault(str(key), value)

    @property
    def params(self) -> dict[str, Any]:
        """What was suggested so far."""
        return dict(self._params)

    @property
    def distributions(self) -> dict[str, Any]:
        """Of what was suggested, as Optuna's objects."""
        import optuna  # type: ignore[import-untyped,unused-ignore]

        return {name: optuna.distributions.json_to_distribution(text) for name, (text, _) in self._known.items()}

    @property
    def relative_params(self) -> dict[str, Any]:
        """What the sampler proposed for the trial as a whole."""
        found: dict[str, Any] = self._ask("relative")["value"]
        return found

    @property
    def user_attrs(self) -> dict[str, Any]:
        """Those of the study's trial, and what was set."""
        return deepcopy(self._user_attrs)

    @property
    def constraints(self) -> dict[str, float]:
        """What was set."""
        return dict(self._constraints)

    @property
    def datetime_start(self) -> datetime | None:
        """When the trial began."""
        return None if self._start is None else datetime.fromisoformat(self._start)

    @property
    def storage(self) -> _Storage:
        """Takes the scores that ``optuna.terminator.report_cross_validation_scores`` writes, and nothing else."""
        return _Storage(self._door)

    @property
    def _trial_id(self) -> int:
        return self.number

    def __getattr__(self, name: str) -> Any:
        if name in ("study", "system_attrs"):
            raise AttributeError(f"a trial in a slot has no {name!r}: the study is on the driver; use a callback there")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _ask(self, *question: object) -> dict[str, Any]:
        """Asks the driver; raises what Optuna raised there, as far as it is built into Python."""
        reply: dict[str, Any] = json.loads(self._door.ask(_json(question)))
        if "error" in reply:
            name, text = reply["error"]
            kind = getattr(builtins, name, RuntimeError)
            raise (kind if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError)(text)
        return reply


class _Storage:
    """In the place of the study's storage, which Optuna's terminator writes to."""

    def __init__(self, door: _Door) -> None:
        self._door = door

    def set_trial_system_attr(self, _: int, key: str, value: Any) -> None:
        """Returns at once."""
        if key != SCORES:
            raise AttributeError(f"the study's storage is on the driver; of system attributes a slot sets {SCORES!r}")
        self._door.note(_json(["scores", [float(one) for one in value]]))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the study's storage is on the driver, so {name!r} is not here; use a callback there")


def _as_stored(kind: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """As Optuna keeps a distribution, to be compared; as it was given where that cannot be one."""
    number = {"FloatDistribution": float, "IntDistribution": int}.get(kind)
    if number is None:
        return given
    try:
        return {
            name: bool(one) if name == "log" else one if one is None else number(one) for name, one in given.items()
        }
    except (TypeError, ValueError):
        return given


def _json(value: object) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    """Numbers of numpy as Python's."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    if isinstance(value, Integral):
        return int(value)
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}, which is not JSON: allowed are text, numbers, bools, "
                    "None, and lists and dictionaries of these")  # fmt: skip
