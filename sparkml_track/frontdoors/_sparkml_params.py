"""A space whose keys are params of pyspark.ml, by names that can be recorded, and back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from pyspark.ml.param import Param, Params

from sparkml_track.space import Choice, Distribution, choice

__all__ = ["ParamSpace"]

#: A quantile at which hardly any continuous distribution gives a whole number.
_PROBE = 1 / math.pi


class ParamSpace:
    """The space of a sweep, made of one whose keys are params.

    A param is recorded as ``LogisticRegression.regParam``: by the class of its stage, numbered where the estimator has
    several of one class, and its own name. An option that is an estimator or another object is recorded by its name.

    Args:
        estimator: whose params these are, or those of its stages, or of stages that are options.
        space: params to distributions, lists of options, or single values.

    Attributes:
        named: the same as ``sweep()`` takes it: labels of stages to names of params to what each may be.

    Raises:
        TypeError: the space is not a mapping, a key is not a param, or a param does not take the values.
        ValueError: the space is empty, or has a param of something else.
    """

    def __init__(self, estimator: Params, space: object) -> None:
        if not isinstance(space, Mapping):
            raise TypeError(
                f"space is a {type(space).__name__}; allowed is a mapping of params, such as lr.regParam, to what they "
                "may be"
            )
        if not space:
            raise ValueError("space is empty; allowed is a mapping of at least one param to what it may be")
        self._stages = {stage.uid: stage for stage in _stages((estimator, *space.values()))}
        self._labels = _labels(self._stages)
        self._objects: dict[tuple[str, str], dict[str, object]] = {}
        self._params: dict[tuple[str, str], Param[Any]] = {}
        self.named: dict[str, dict[str, object]] = {}
        for param, value in space.items():
            self._add(param, value, type(estimator).__name__)

    def param_map(self, params: Mapping[str, Any]) -> dict[Param[Any], Any]:
        """What ``Estimator.fit`` takes, of the params of a trial."""
        return {
            param: param.typeConverter(self._object(at, params[at[0]][at[1]])) for at, param in self._params.items()
        }

    def described(self, stage: Params) -> str:
        """What a stage is and does, the same in each process: class names and params that were set, without ids."""
        text = repr(_set_params(stage))
        for uid, label in self._labels.items():
            text = text.replace(uid, label)
        return text

    def _add(self, param: object, value: object, owner: str) -> None:
        at = self._place(param, owner)
        assert isinstance(param, Param)
        self._params[at] = param
        self.named.setdefault(at[0], {})[at[1]] = self._recorded(at, value)
        _check(param, ".".join(at), value)

    def _place(self, param: object, owner: str) -> tuple[str, str]:
        """Label and name of a param."""
        if not isinstance(param, Param):
            raise TypeError(
                f"space has the key {param!r} ({type(param).__name__}); allowed are params of the estimator, such as "
                "lr.regParam"
            )
        stage = self._stages.get(param.parent)
        if stage is None or not stage.hasParam(param.name):
            raise ValueError(
                f"space has the param {param.parent}.{param.name}, which is not of this {owner}; allowed are those of "
                f"{', '.join(self._labels.values())}"
            )
        return self._labels[param.parent], param.name

    def _recorded(self, at: tuple[str, str], value: object) -> object:
        """What one param may be, as ``sweep()`` takes it."""
        if isinstance(value, list | range):
            value = choice(*value)
        return self._option(at, value)

    def _option(self, at: tuple[str, str], value: object) -> object:
        """The same of an option, of which a list is one value."""
        if isinstance(value, Choice):
            return choice(*(self._option(at, each) for each in value.options))
        return value if _is_plain(value) or isinstance(value, Distribution) else self._name(at, value)

    def _name(self, at: tuple[str, str], option: object) -> str:
        known = self._objects.setdefault(at, {})
        name = text = self._text(option)
        while known.get(name, option) is not option:
            name = f"{text}_{len(known) + 1}"
        known[name] = option
        return name

    def _text(self, option: object) -> str:
        if isinstance(option, list | tuple):
            return ", ".join(map(self._text, option))
        return self._labels[option.uid] if isinstance(option, Params) else str(option)

    def _object(self, at: tuple[str, str], value: object) -> object:
        return self._objects.get(at, {}).get(value, value) if isinstance(value, str) else value


def _stages(values: Sequence[object]) -> Iterator[Params]:
    """All stages, those inside of others after them."""
    for value in values:
        if isinstance(value, Params):
            yield value
            yield from _stages(list(_set_values(value).values()))
        elif isinstance(value, list | tuple | Choice):
            yield from _stages(value.options if isinstance(value, Choice) else value)


def _labels(stages: Mapping[str, Params]) -> dict[str, str]:
    """Ids of stages to readable names, each once."""
    many = Counter(type(stage).__name__ for stage in stages.values())
    seen: Counter[str] = Counter()
    labels = {}
    for uid, stage in stages.items():
        kind = type(stage).__name__
        seen[kind] += 1
        labels[uid] = kind if many[kind] == 1 else f"{kind}_{seen[kind]}"
    return labels


def _set_values(stage: Params) -> dict[str, Any]:
    """Without defaults, of which some are drawn for each process."""
    return {param.name: stage.getOrDefault(param) for param in stage.params if stage.isSet(param)}


def _set_params(value: object) -> object:
    if isinstance(value, Params):
        return {type(value).__name__: {name: _set_params(each) for name, each in _set_values(value).items()}}
    return [_set_params(each) for each in value] if isinstance(value, list | tuple) else value


def _is_plain(value: object) -> bool:
    """Whether it can be recorded as it is; numpy's numbers can."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | Real)


def _check(param: Param[Any], name: str, value: object) -> None:
    """Refuses what the param does not take, as setting it would."""
    for each in _examples(choice(*value) if isinstance(value, list | range) else value):
        try:
            param.typeConverter(each)
        except (TypeError, ValueError) as error:
            raise TypeError(f"space: {name} is {value}, but the param does not take {each!r}: {error}") from None


def _examples(value: object) -> Iterator[object]:
    """Values that come out: each option, and one of a distribution."""
    if isinstance(value, Choice):
        for option in value.options:
            yield from _examples(option)
    elif not isinstance(value, Distribution):
        yield value
    elif not value.problems():
        yield value.quantile(_PROBE)
