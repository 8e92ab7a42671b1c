"""Samplers: who proposes the next parameters.

    _base            the contract
    _grid            grid search
    _random          random search
    _quasirandom     quasi-random search, by scipy
    _hyperopt        hyperopt's tpe, anneal and atpe
    _hyperopt_space  between our spaces and hyperopt's expressions
    _hyperopt_tpe    hyperopt's TPE, with what stays the same made once
    _optuna          Optuna's samplers
    _optuna_space    between our spaces and Optuna's distributions
    _numbered        what samplers share that propose by the number alone
    _settings        checks of options
    _unfinished      what is under way, so that proposals differ from it

``build`` makes one by name. Each member is a private module that is imported when it is asked for, so that hyperopt and
Optuna cost nothing to those who do without. Other packages add samplers through the entry point group
``sparkml_track.samplers``: a callable ``make(space, *, seed, objectives, **options) -> Sampler`` under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature

from sparkml_track.errors import SpaceError, SpecError
from sparkml_track.samplers._base import Capabilities, Sampler
from sparkml_track.space import Space

__all__ = ["GROUP", "Capabilities", "Sampler", "build", "names"]

#: The entry point group of samplers that other packages bring.
GROUP = "sparkml_track.samplers"

_MEMBERS = {
    "anneal": ("_hyperopt", "AnnealSampler"),
    "atpe": ("_hyperopt", "AtpeSampler"),
    "cmaes": ("_optuna", "CmaesSampler"),
    "gp": ("_optuna", "GpSampler"),
    "grid": ("_grid", "GridSampler"),
    "nsga2": ("_optuna", "Nsga2Sampler"),
    "optuna-tpe": ("_optuna", "OptunaTpeSampler"),
    "quasi-random": ("_quasirandom", "QuasiRandomSampler"),
    "random": ("_random", "RandomSampler"),
    "tpe": ("_hyperopt", "TpeSampler"),
}
_OURS_ONLY = frozenset({"grid", "quasi-random", "random"})


def names() -> tuple[str, ...]:
    """All names that ``build`` knows, those of other packages too, sorted."""
    return tuple(sorted({*_MEMBERS, *(point.name for point in entry_points(group=GROUP))}))


def build(
    sampler: object,
    space: object,
    *,
    seed: int,
    objectives: int = 1,
) -> Sampler:
    """Makes a sampler.

    Args:
        sampler: a name; a name with options, ``{"optuna-tpe": {"multivariate": True}}``; or a sampler, given back as it
            is.
        space: a parsed ``Space``; for "tpe", "anneal", "atpe" and "random" also an expression of hyperopt's ``hp.*``,
            whose parameters are the values of its labels; for Optuna's samplers also a mapping of its distributions.
        seed: of the sweep.
        objectives: how many values it is given of each trial; lower is better.

    Raises:
        SpecError: no such sampler or option, a library is not installed, or too many objectives.
        SpaceError: it cannot search this space.
    """
    if isinstance(sampler, Sampler):
        return _checked(type(sampler).__name__, sampler, objectives)
    name, options = _named(sampler)
    make = _find(name, foreign=not isinstance(space, Space))
    _check_options(name, make, options)
    return _checked(name, make(space, seed=seed, objectives=objectives, **options), objectives)


def _named(sampler: object) -> tuple[str, Mapping[str, object]]:
    if isinstance(sampler, str):
        return sampler, {}
    if isinstance(sampler, Mapping) and len(sampler) == 1:
        name, options = next(iter(sampler.items()))
        if isinstance(name, str) and (options is None or isinstance(options, Mapping)):
            return name, options or {}
    raise SpecError(f"sampler is {sampler!r}; give a name, {{name: {{option: value}}}} or a Sampler")


def _find(name: str, *, foreign: bool) -> Callable[..., Sampler]:
    if foreign and name in _OURS_ONLY:
        if name != "random":
            raise SpaceError(
                f"sampler {name!r} takes a space of sparkml_track; foreign ones: 'random', 'tpe', 'anneal'"
            )
        return _member("_hyperopt", "ExpressionRandomSampler")
    if name in _MEMBERS:
        return _member(*_MEMBERS[name])
    for point in entry_points(group=GROUP, name=name):
        make: Callable[..., Sampler] = point.load()
        return make
    close = get_close_matches(name, names(), n=1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    raise SpecError(f"sampler {name!r} is unknown; allowed: {', '.join(map(repr, names()))}{hint}")


def _member(module: str, name: str) -> Callable[..., Sampler]:
    make: Callable[..., Sampler] = getattr(import_module(f"{__name__}.{module}"), name)
    return make


def _check_options(name: str, make: Callable[..., Sampler], options: Mapping[str, object]) -> None:
    parameters = signature(make).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [option for option in parameters if option not in {"space", "seed", "objectives"}]
    unknown = [option for option in options if option not in known]
    if unknown:
        allowed = ", ".join(map(repr, known)) or "none"
        raise SpecError(
            *(f"option {option!r} of sampler {name!r} is unknown; allowed: {allowed}" for option in unknown)
        )


def _checked(name: str, sampler: Sampler, objectives: int) -> Sampler:
    if objectives > 1 and not sampler.capabilities.multi_objective:
        raise SpecError(
            f"sampler {name!r} takes one metric, not {objectives}; for several: 'optuna-tpe', 'nsga2', 'gp', "
            "'random', 'quasi-random', 'grid'"
        )
    return sampler
