"""Pruners: who decides, from the reports of a trial, that it should stop early.

_base        the contract
_asha        asynchronous successive halving, and Hyperband over it
_percentile  against the finished trials at the same step; median
_patience    against a trial's own past
_threshold   against fixed bounds
_curves      what pruners share
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import signature

from sparkml_track.errors import SpecError
from sparkml_track.pruners._asha import AshaPruner, HyperbandPruner
from sparkml_track.pruners._base import Pruner
from sparkml_track.pruners._patience import PatiencePruner
from sparkml_track.pruners._percentile import MedianPruner, PercentilePruner
from sparkml_track.pruners._threshold import ThresholdPruner

__all__ = [
    "AshaPruner",
    "HyperbandPruner",
    "MedianPruner",
    "PatiencePruner",
    "PercentilePruner",
    "Pruner",
    "ThresholdPruner",
    "build",
]

_MEMBERS: Mapping[str, Callable[..., Pruner]] = {
    "asha": AshaPruner,
    "hyperband": HyperbandPruner,
    "median": MedianPruner,
    "patience": PatiencePruner,
    "percentile": PercentilePruner,
    "threshold": ThresholdPruner,
}
_GIVEN = frozenset({"seed", "maximize"})  # by the sweep, not by the user


def build(pruner: object, *, seed: int, maximize: bool = False) -> Pruner | None:
    """Makes a pruner.

    Args:
        pruner: None for none; a name, ``"median"``; a name with options,
            ``{"asha": {"min_steps": 1, "reduction": 3}}``; or a ``Pruner``, given back as it is. The option ``pruner``
            of "patience" takes the same forms.
        seed: of the sweep.
        maximize: more is better; the bounds of "threshold" are as the objective reports.

    Raises:
        SpecError: no such pruner or option, or a setting that is not allowed.
    """
    if pruner is None or isinstance(pruner, Pruner):
        return pruner
    name, options = _named(pruner)
    make = _find(name)
    parameters = signature(make).parameters
    _check_options(name, [known for known in parameters if known not in _GIVEN], options)
    given = {"seed": seed, "maximize": maximize}
    made = {**options, **{key: value for key, value in given.items() if key in parameters}}
    if "pruner" in made:
        made["pruner"] = build(made["pruner"], seed=seed, maximize=maximize)
    return make(**made)


def _named(pruner: object) -> tuple[str, Mapping[str, object]]:
    if isinstance(pruner, str):
        return pruner, {}
    if isinstance(pruner, Mapping) and len(pruner) == 1:
        name, options = next(iter(pruner.items()))
        if isinstance(name, str) and (options is None or isinstance(options, Mapping)):
            return name, options or {}
    raise SpecError(f"pruner is {pruner!r}; give None, a name, {{name: {{option: value}}}} or a Pruner")


def _find(name: str) -> Callable[..., Pruner]:
    if name in _MEMBERS:
        return _MEMBERS[name]
    close = get_close_matches(name, _MEMBERS, n=1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    raise SpecError(f"pruner {name!r} is unknown; allowed: {', '.join(map(repr, _MEMBERS))}{hint}")


def _check_options(name: str, known: list[str], options: Mapping[str, object]) -> None:
    unknown = [option for option in options if option not in known]
    if unknown:
        allowed = ", ".join(map(repr, known))
        raise SpecError(*(f"option {option!r} of pruner {name!r} is unknown; allowed: {allowed}" for option in unknown))
