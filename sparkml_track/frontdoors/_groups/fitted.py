"""What a user's function returned for one group, and the small sweep inside of a group. Runs in slots.

Slots import this module or get it by value: at the top it imports the standard library alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol

__all__ = ["POINT", "POINTS_FAILED", "Fitted", "SmallSweep", "fitted"]

#: Metrics of a group with a small sweep: the number of its best point, and how many points raised.
POINT, POINTS_FAILED = "point", "points_failed"


@dataclass(frozen=True)
class Fitted:
    """What came of one call.

    Attributes:
        model: None if the function gives metrics alone.
        metrics: names to numbers.
    """

    model: Any
    metrics: Mapping[str, Any] = field(default_factory=dict)


class _Reports(Protocol):
    """What is used of the trial in the slot."""

    def report(self, metrics: dict[str, float], step: int) -> None: ...


def fitted(returned: Any) -> Fitted:
    """Tells model and metrics apart.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], Mapping):
        return Fitted(returned[0], returned[1])
    if isinstance(returned, Mapping):
        odd = [name for name, value in returned.items() if not _is_number(value)]
        if not odd:
            return Fitted(None, returned)
        raise TypeError(
            f"fn returned a mapping whose {odd[0]!r} is a {type(returned[odd[0]]).__name__}; a mapping is metrics, "
            f"names to numbers; return (model, {{}}) for a model that is a mapping; {_ALLOWED}"
        )
    if returned is None or isinstance(returned, str | bytes | bool | Real | tuple):
        raise TypeError(f"fn returned {_shown(returned)}; {_ALLOWED}")
    return Fitted(returned)


_ALLOWED = "allowed is a model, (model, metrics), or a mapping of metrics"


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, Real) or getattr(value, "shape", None) == ())


def _shown(value: Any) -> str:
    return "None" if value is None else f"{str(value)[:60]!r} ({type(value).__name__})"


@dataclass(frozen=True)
class SmallSweep:
    """Calls a function with several points and keeps the best.

    Attributes:
        points: the same for each group, drawn on the driver.
        metric: what is compared.
        maximize: whether more of it is better.
    """

    points: Sequence[Mapping[str, Any]]
    metric: str
    maximize: bool

    def best(self, fn: Callable[..., Any], frame: Any, trial: _Reports) -> Fitted:
        """The best of all points; one that raises is left out.

        Raises:
            Exception: that of the last point, if all raised.
        """
        best: tuple[float, int, Fitted] | None = None
        errors: list[Exception] = []
        for number, point in enumerate(self.points):
            try:
                found = fitted(fn(frame.copy(), deepcopy(dict(point))))
                value = self._value(found)
            except Exception as error:  # noqa: BLE001 - whatever the user's function raises
                errors.append(error)
                continue
            trial.report({self.metric: value}, step=number)
            loss = -value if self.maximize else value
            if best is None or _rank(loss) < _rank(best[0]):
                best = loss, number, found
        if best is None:
            raise errors[-1]
        return Fitted(best[2].model, {**best[2].metrics, POINT: best[1], POINTS_FAILED: len(errors)})

    def _value(self, found: Fitted) -> float:
        if self.metric not in found.metrics:
            got = ", ".join(map(str, list(found.metrics)[:20])) or "none"
            raise KeyError(f"fn returned no metric {self.metric!r}, which the points are compared by; only: {got}")
        return float(found.metrics[self.metric])


def _rank(loss: float) -> float:
    """What is not a number is worse than all."""
    return math.inf if math.isnan(loss) else loss
