"""Between our spaces and Optuna's distributions.

Optuna has no normal, no lognormal and no logarithmic distribution with a step. Those are searched on another scale: by
their quantile between 0 and 1, or without the step, rounded afterwards. Parameters in the study are named by leaf
keys; of a choice it sees the index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sparkml_track.errors import SpaceError
from sparkml_track.space import (
    Choice,
    Distribution,
    LogNormal,
    LogUniform,
    Normal,
    QLogUniform,
    QUniform,
    RandInt,
    Space,
    Uniform,
    parse,
)

__all__ = ["from_optuna", "ours", "theirs", "to_optuna"]


def to_optuna(what: Distribution | Choice) -> BaseDistribution:
    """The distribution that Optuna searches for a decision."""
    match what:
        case Choice():
            return CategoricalDistribution(tuple(range(len(what.options))))
        case QLogUniform():
            return FloatDistribution(what.low, what.high, log=True)
        case QUniform():
            return _stepped(what)
        case LogUniform():
            return FloatDistribution(what.low, what.high, log=True)
        case Uniform():
            return FloatDistribution(what.low, what.high)
        case Normal():
            return FloatDistribution(0.0, 1.0)
        case RandInt():
            return IntDistribution(what.low, what.high - 1)
    raise SpaceError(f"{what} has no counterpart in Optuna")


def ours(what: Distribution | Choice, value: object) -> object:
    """The decision for what Optuna suggested."""
    if isinstance(what, Choice):
        return value
    assert isinstance(value, int | float)
    return what.quantile(value) if isinstance(what, Normal) else what.coerce(value)


def theirs(what: Distribution | Choice, decision: object) -> object:
    """What Optuna would have suggested for a decision."""
    if not isinstance(what, Normal):
        return decision
    assert isinstance(decision, int | float)
    return NormalDist(what.mean, what.std).cdf(math.log(decision) if isinstance(what, LogNormal) else decision)


def from_optuna(distributions: Mapping[str, BaseDistribution]) -> Space:
    """A space of Optuna's distributions. A step must divide the lower bound: ours are multiples of it.

    Raises:
        SpaceError: a distribution that has no counterpart here.
    """
    return parse({name: _from(name, distribution) for name, distribution in distributions.items()})


def _from(name: str, distribution: BaseDistribution) -> object:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return Choice(choices)
        case IntDistribution(low=low, high=high, log=False, step=1):
            return RandInt(low, high + 1)
        case IntDistribution(low=low, high=high, log=True):
            return QLogUniform(low, high, 1)
        case FloatDistribution(low=low, high=high, log=True):
            return LogUniform(low, high)
        case FloatDistribution(low=low, high=high, step=None):
            return Uniform(low, high)
        case IntDistribution(low=low, high=high, step=step) | FloatDistribution(low=low, high=high, step=step) if step:
            if QUniform(low, high, step).contains(low):
                return QUniform(low, high, step)
    raise SpaceError(f"{name!r} is {distribution}, which has no counterpart here; a step must divide the lower bound")


def _stepped(what: QUniform) -> BaseDistribution:
    low, high = what.at(0), what.at(what.size - 1)
    if isinstance(what.q, int):
        return IntDistribution(int(low), int(high), step=what.q)
    return FloatDistribution(low, high, step=what.q)
