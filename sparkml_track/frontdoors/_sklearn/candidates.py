"""The user's space as a sweep takes it: candidates that scikit-learn lists, or a space for a sampler of ours."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from numbers import Integral, Real
from typing import Any

import numpy
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils import check_random_state
from typing_extensions import override

from sparkml_track import space as spaces
from sparkml_track.engine.spec.kinds import is_whole
from sparkml_track.frontdoors._sklearn.fold import Listed, Open
from sparkml_track.samplers import Capabilities, Sampler
from sparkml_track.space import Choice, Distribution, choice
from sparkml_track.trial import Params, State

__all__ = ["Search", "search_of"]

#: Candidates without ``n_trials``, as ``RandomizedSearchCV`` has.
_TRIALS = 10


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched, and how.

    Attributes:
        space: as ``sweep()`` takes it.
        sampler: likewise.
        max_trials: likewise.
        seed: likewise.
        candidates: gives the parameters of a trial.
    """

    space: Mapping[str, object]
    sampler: object
    max_trials: int | None
    seed: int | None
    candidates: Listed | Open

    @property
    def many(self) -> int | None:
        """How many candidates there will be, None if that is not known."""
        return self.max_trials


def search_of(space: object, sampler: object, n_trials: int | None, random_state: object) -> Search:
    """Chooses between scikit-learn's candidates and a sampler.

    Raises:
        TypeError, ValueError: the space or the number is wrong.
    """
    if n_trials is not None and not is_whole(n_trials, 1):
        raise ValueError(f"n_trials is {n_trials!r}; allowed is a whole number of at least 1, or None")
    parts = _parts(space)
    values = [value for part in parts for value in part.values()]
    ours = any(isinstance(value, Choice | Distribution) for value in values)
    if sampler is None:
        drawn = any(hasattr(value, "rvs") for value in values)
        sampler = "tpe" if ours else "random" if drawn else "grid"
    if ours or sampler not in ("grid", "random"):
        return _open(parts, sampler, n_trials, random_state)
    if sampler == "grid":
        return _listed(list(islice(ParameterGrid(space), n_trials)))
    return _listed(list(ParameterSampler(space, n_trials or _TRIALS, random_state=random_state)))


def _parts(space: object) -> list[Mapping[str, Any]]:
    parts: Any = [space] if isinstance(space, Mapping) else space
    if not isinstance(parts, list | tuple) or not all(isinstance(part, Mapping) for part in parts):
        raise TypeError(
            f"space is a {type(space).__name__}; allowed is a mapping of parameters to lists or distributions, or a "
            "list of such mappings"
        )
    return list(parts)


# -- listed by scikit-learn


class _Listing(Sampler):
    """Proposes what was listed, by number."""

    capabilities = Capabilities(adaptive=False, finite=True, multi_objective=True)

    def __init__(self, recorded: Sequence[dict[str, object]]) -> None:
        self._recorded = recorded
        self.size = len(recorded)

    @override
    def ask(self, number: int) -> Params | None:
        return self._recorded[number] if number < len(self._recorded) else None

    @override
    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None: ...


def _listed(candidates: Sequence[Mapping[str, Any]]) -> Search:
    names = _names([*dict.fromkeys(name for each in candidates for name in each)])
    recorded = [{names[name]: _recorded(value) for name, value in each.items()} for each in candidates]
    found: dict[str, dict[str, object]] = {}
    for each in recorded:
        for name, value in each.items():
            found.setdefault(name, {})[repr(value)] = value
    space = {name: choice(*values.values()) for name, values in found.items()}
    if not space:  # a grid without names has one candidate, the estimator as it is
        space = {"candidate": choice(0)}
    return Search(space, _Listing(recorded), len(candidates), 0, Listed(candidates))


def _names(names: Sequence[str]) -> dict[str, str]:
    """What each parameter is recorded under: its name, without characters that a space does not take."""
    found: dict[str, str] = {}
    for name in names:
        plain = text = re.sub(r"[^\w\-:/ ]", "_", str(name), flags=re.ASCII)
        while text in found.values():
            text = f"{plain}_{len(found) + 1}"
        found[name] = text
    return found


def _recorded(value: Any) -> object:
    """A value as runs and the journal have it: itself if it is plain, else a text."""
    if isinstance(value, numpy.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Real):
        number = int(value) if isinstance(value, Integral) else float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, list | tuple) and all(each is None or isinstance(each, str | Real) for each in value):
        return [_recorded(each) for each in value]
    return _text(value)


def _text(value: Any) -> str:
    """The same in each process: without addresses."""
    named = getattr(value, "__qualname__", None)
    text = str(named) if named else " ".join(repr(value).split())
    return f"{type(value).__name__}" if " object at 0x" in text else text[:200]


# -- proposed by a sampler


def _open(parts: Sequence[Mapping[str, Any]], sampler: object, n_trials: int | None, random_state: object) -> Search:
    if len(parts) != 1:
        raise ValueError(
            f"space is a list of {len(parts)} mappings, which sampler={sampler!r} does not take; allowed is one "
            "mapping, or sampler='grid' or 'random' with lists and scipy's distributions"
        )
    objects: dict[str, dict[str, Any]] = {}
    names = _names([*parts[0]])
    space = {names[name]: _node(names[name], value, objects) for name, value in parts[0].items()}
    ends = sampler == "grid" or (isinstance(sampler, Sampler) and sampler.capabilities.finite)
    most = n_trials or (None if ends else _TRIALS)
    return Search(
        space, sampler, most, _seed(random_state), Open(objects, {text: name for name, text in names.items()})
    )


def _seed(random_state: object) -> int | None:
    if random_state is None or isinstance(random_state, Integral):
        return None if random_state is None else int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _node(name: str, value: Any, objects: dict[str, dict[str, Any]]) -> object:
    """What one parameter may be."""
    if isinstance(value, Distribution):
        return value
    if hasattr(value, "rvs"):
        return _distribution(name, value)
    options = value.options if isinstance(value, Choice) else value
    if isinstance(options, str | bytes) or not isinstance(options, Sequence | numpy.ndarray):
        raise TypeError(
            f"space: {name!r} is {value!r:.80} ({type(value).__name__}); allowed are lists, choice(...), distributions "
            "of sparkml_track and of scipy.stats"
        )
    if not len(options):
        raise ValueError(f"space: {name!r} is empty; allowed is a list of at least one value")
    return choice(*(_option(name, each, objects) for each in options))


def _option(name: str, value: Any, objects: dict[str, dict[str, Any]]) -> object:
    """An option; what cannot be recorded is found again by its text."""
    if isinstance(value, Choice | Distribution):
        return _node(name, value, objects)
    recorded = _recorded(value)
    if recorded == value and type(recorded) is type(value):
        return recorded
    if isinstance(recorded, int | float) and not isinstance(recorded, bool):
        return recorded
    return _named(value, objects.setdefault(name, {}), str(recorded))


def _named(value: Any, known: dict[str, Any], text: str) -> str:
    name = text
    while known.get(name, value) is not value:
        name = f"{text}_{len(known) + 1}"
    known[name] = value
    return name


def _distribution(name: str, frozen: Any) -> Distribution:
    """One of scipy's, as one of ours."""
    kind = getattr(getattr(frozen, "dist", None), "name", type(frozen).__name__)
    for known, shapes, make in _KNOWN:
        if kind in known:
            return make(*_arguments(frozen, shapes))
    raise ValueError(
        f"space: {name!r} is scipy's {kind}, which samplers of sparkml_track do not take; allowed are "
        f"{', '.join(sorted(each for names, _, _ in _KNOWN for each in names))} and lists, or sampler='random'"
    )


def _arguments(frozen: Any, shapes: Sequence[str]) -> Iterator[float]:
    shape, loc, scale = frozen.dist._parse_args(*frozen.args, **frozen.kwds)[:3]  # noqa: SLF001 - it has no other
    yield from dict(zip(shapes, shape, strict=True)).values()
    yield loc
    yield scale


def _uniform(loc: float, scale: float) -> Distribution:
    return spaces.uniform(loc, loc + scale)


def _loguniform(low: float, high: float, loc: float, scale: float) -> Distribution:
    if loc:
        raise ValueError(f"space: loguniform has loc={loc}; allowed is 0")
    return spaces.loguniform(low * scale, high * scale)


def _randint(low: float, high: float, loc: float, _: float) -> Distribution:
    return spaces.randint(int(low + loc), int(high + loc))


def _normal(loc: float, scale: float) -> Distribution:
    return spaces.normal(loc, scale)


_KNOWN: Sequence[tuple[tuple[str, ...], tuple[str, ...], Callable[..., Distribution]]] = (
    (("uniform",), (), _uniform),
    (("loguniform", "reciprocal"), ("a", "b"), _loguniform),
    (("randint",), ("low", "high"), _randint),
    (("norm",), (), _normal),
)
