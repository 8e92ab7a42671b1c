"""Between our spaces and hyperopt's expressions.

hyperopt takes the logarithms of bounds where we take the values. It treats ``randint`` as categories without an order,
so whole numbers are searched as its ``uniformint`` does: ``quniform`` by steps of 1, every number equally likely.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from hyperopt import hp, pyll

from sparkml_track.errors import SpaceError
from sparkml_track.space import (
    Choice,
    Distribution,
    Group,
    LogNormal,
    LogUniform,
    Normal,
    QLogUniform,
    QUniform,
    RandInt,
    Space,
    Uniform,
)
from sparkml_track.trial import Params

__all__ = ["ExpressionLabels", "Labels", "SpaceLabels", "labels_of", "to_hyperopt"]


class Labels(Protocol):
    """How parameters are told to hyperopt: one value for each label in use.

    Attributes:
        expression: hyperopt's form of the space.
    """

    expression: Any

    def params(self, values: Mapping[str, Any]) -> dict[str, object]:
        """Parameters from hyperopt's values; it may give those of labels that are not in use, too."""
        ...

    def values(self, params: Params) -> dict[str, object]:
        """The values for hyperopt, only of labels in use. Raises ``SpaceError``."""
        ...


class SpaceLabels:
    """Our own space; labels are the keys of its leaves."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.expression = to_hyperopt(space)

    def params(self, values: Mapping[str, Any]) -> dict[str, object]:
        """Brought back inside the bounds, which hyperopt leaves when it rounds."""
        return self._space.build(lambda leaf: _ours(leaf.what, values[leaf.key]))

    def values(self, params: Params) -> dict[str, object]:
        """The decisions."""
        return self._space.encode(params)


class ExpressionLabels:
    """A foreign expression as it is; parameters are its labels' values, a choice's being the index.

    ``hyperopt.space_eval(expression, params)`` gives what the expression stands for.
    """

    def __init__(self, expression: object) -> None:
        self.expression = expression
        nodes = [node for node in pyll.dfs(pyll.as_apply(expression)) if node.name == "hyperopt_param"]
        self._labels = {node.arg["label"].obj for node in nodes}
        if not nodes:
            raise SpaceError("the hyperopt expression holds no hp.* node, so there is nothing to search")

    def params(self, values: Mapping[str, Any]) -> dict[str, object]:
        """As plain numbers."""
        return {label: value.item() if hasattr(value, "item") else value for label, value in sorted(values.items())}

    def values(self, params: Params) -> dict[str, object]:
        """The same."""
        unknown = sorted(set(params) - self._labels)
        if unknown:
            raise SpaceError(f"labels {unknown} are not of the hyperopt expression; it has {sorted(self._labels)}")
        return dict(params)


def labels_of(space: object) -> Labels:
    """For our spaces and for hyperopt's expressions."""
    return SpaceLabels(space) if isinstance(space, Space) else ExpressionLabels(space)


def to_hyperopt(space: Space) -> Any:
    """The expression that searches this space, labelled by leaf keys. Constants are left out, options are indices."""
    return _node(space.tree, "")


def _node(node: object, key: str) -> Any:
    if isinstance(node, Group):
        return {name: _node(below, f"{key}.{name}" if key else name) for name, below in node.items}
    if isinstance(node, Choice):
        return hp.choice(key, [_node(option, f"{key}[{index}]") for index, option in enumerate(node.options)])
    return _distribution(node, key) if isinstance(node, Distribution) else 0


def _distribution(what: Distribution, key: str) -> Any:
    match what:
        case QLogUniform():
            return hp.qloguniform(key, math.log(what.low), math.log(what.high), what.q)
        case QUniform():
            return hp.quniform(key, what.low, what.high, what.q)
        case LogUniform():
            return hp.loguniform(key, math.log(what.low), math.log(what.high))
        case Uniform():
            return hp.uniform(key, what.low, what.high)
        case LogNormal():
            return hp.lognormal(key, what.mean, what.std)
        case Normal():
            return hp.normal(key, what.mean, what.std)
        case RandInt():
            return hp.quniform(key, what.low - 0.5, what.high - 0.5, 1)
    raise SpaceError(f"{what} has no counterpart in hyperopt")


def _ours(what: Distribution | Choice, value: Any) -> object:
    if isinstance(what, Choice):
        return int(value)
    if isinstance(what, RandInt):
        return min(max(round(value), what.low), what.high - 1)
    if isinstance(what, Uniform):
        return min(max(float(value), float(what.low)), float(what.high))
    if isinstance(what, LogNormal):
        return max(float(value), math.ulp(0.0))
    return what.coerce(float(value))
