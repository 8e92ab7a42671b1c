"""Search spaces: a dictionary of distributions, choices, plain values and nested dictionaries.

    space = parse({"lr": loguniform(1e-4, 1),
                   "model": choice({"kind": "linear"}, {"kind": "forest", "depth": randint(2, 20)})})

What a trial gets has the shape of the space, nested where the choice was: ``{"lr": 0.1, "model": {"kind": "forest",
"depth": 7}}``. What is recorded is flattened with dots: ``model.kind``, ``model.depth``; values, never indices.
Parameters are JSON values: a tuple comes out as a list, and a list is one value, never taken apart.

Inside, each random decision is a *leaf* with a key of its own: ``model`` for which option, ``model[1].depth`` for what
is inside the second one. So two options may both have a ``depth``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

from sparkml_track.distributions import (
    Distribution,
    LogNormal,
    LogUniform,
    Normal,
    QLogUniform,
    QUniform,
    RandInt,
    Uniform,
    lognormal,
    loguniform,
    normal,
    number,
    qloguniform,
    quniform,
    randint,
    uniform,
)
from sparkml_track.errors import SpaceError
from sparkml_track.tree import (
    Choice,
    Group,
    Leaf,
    build,
    choice,
    combinations,
    constants,
    flatten,
    leaves,
    match,
    names,
    near,
    plain_values,
    size,
    spec,
)

__all__ = [
    "Choice",
    "Distribution",
    "Group",
    "Leaf",
    "LogNormal",
    "LogUniform",
    "Normal",
    "QLogUniform",
    "QUniform",
    "RandInt",
    "Space",
    "Uniform",
    "choice",
    "flatten",
    "lognormal",
    "loguniform",
    "normal",
    "parse",
    "qloguniform",
    "quniform",
    "randint",
    "uniform",
]


@dataclass(frozen=True)
class Space:
    """A valid search space; made by ``parse``. Frozen, hashable and picklable.

    Attributes:
        tree: the parsed form.
    """

    tree: Group

    @cached_property
    def leaves(self) -> Mapping[str, Leaf]:
        """All random decisions by key, parents before children."""
        return {leaf.key: leaf for leaf in leaves(self.tree)}

    @cached_property
    def size(self) -> int | None:
        """How many different points there are at most; None if a distribution is not countable."""
        return size(self.tree)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that can be recorded, constants too, in the user's order."""
        return tuple(dict.fromkeys(names(self.tree)))

    @property
    def plain(self) -> Iterator[tuple[str, object]]:
        """Names and plain values of all that can be recorded; None for a value that is drawn."""
        return plain_values(self.tree)

    @property
    def constants(self) -> Iterator[tuple[str, object]]:
        """Names and values of what is the same in every trial."""
        return constants(self.tree)

    def build(self, decide: Callable[[Leaf], object]) -> dict[str, object]:
        """Makes parameters, asking for each decision that is needed: a value, or an option's index for a choice."""
        made = build(self.tree, "", lambda key: decide(self.leaves[key]))
        assert isinstance(made, dict)
        return made

    def sample(self, rng: Random) -> dict[str, object]:
        """Draws one point, one ``rng.random()`` for each decision, in the user's order."""
        return self.build(lambda leaf: leaf.what.quantile(rng.random()))

    def decode(self, decisions: Mapping[str, object]) -> dict[str, object]:
        """Makes parameters from decisions by key; those that are not needed are ignored."""
        return self.build(lambda leaf: decisions[leaf.key])

    def encode(self, point: Mapping[str, object]) -> dict[str, object]:
        """The decisions, by key, that lead to this point, which has either shape. The inverse of ``decode``.

        Raises:
            SpaceError: the point is not of this space; one sentence for each problem.
        """
        flat = flatten(point)
        found = match(self.tree, flat)
        unknown = tuple(f"{name!r} is unknown{near(name, self.names)}" for name in flat if name not in found.used)
        if found.problems or unknown:
            raise SpaceError(*found.problems, *unknown)
        return dict(found.decisions)

    def from_point(self, point: Mapping[str, object]) -> dict[str, object]:
        """Parameters in the shape of the space from a point that is nested or flattened; constants may be left out.

        Raises:
            SpaceError: as ``encode``.
        """
        return self.decode(self.encode(point))

    def contains(self, params: Mapping[str, object]) -> bool:
        """Whether this point, in either shape, is of this space."""
        try:
            self.encode(params)
        except SpaceError:
            return False
        return True

    def flatten(self, params: Mapping[str, object]) -> dict[str, object]:
        """Parameters as they are recorded, with dots."""
        return flatten(params)

    def unflatten(self, flat: Mapping[str, object]) -> dict[str, object]:
        """The inverse of ``flatten``; also brings constants back.

        Raises:
            SpaceError: as ``encode``.
        """
        return self.from_point(flat)

    def points(self) -> Iterator[dict[str, object]]:
        """All points, the last name changing fastest, made as they are taken. Those of equal options come repeatedly.

        Raises:
            SpaceError: some values are not countable; one sentence for each.
        """
        if self.size is None:
            raise SpaceError(
                *(
                    f"{leaf.name!r} is {leaf.what}, whose values cannot be counted; use quniform, randint or choice"
                    for leaf in self.leaves.values()
                    if isinstance(leaf.what, Distribution) and leaf.what.size is None
                )
            )
        return map(self.decode, combinations(self.tree))

    def spec(self) -> dict[str, object]:
        """The form that config files have, JSON-able; ``parse`` of it gives this space."""
        made = spec(self.tree)
        assert isinstance(made, dict)
        return made

    def fingerprint(self) -> str:
        """Names this space across processes and releases: 16 hexadecimal digits of SHA-256 over ``spec()``.

        Order counts, because it decides which random number goes where.
        """
        return hashlib.sha256(json.dumps(self.spec()).encode()).hexdigest()[:16]


def parse(mapping: Mapping[str, object]) -> Space:
    """Makes a space of what the user wrote, in Python or in YAML.

    Args:
        mapping: names to distributions, ``choice(…)``, plain values or nested mappings. In YAML a distribution is a
            mapping of its name to its arguments: ``{loguniform: [1.0e-4, 1]}``, ``{choice: [a, b]}``.

    Raises:
        SpaceError: one sentence for each problem, all at once.
    """
    problems: list[str] = []
    if not isinstance(mapping, Mapping):
        raise SpaceError(f"a space is a mapping of names to distributions, not {_kind(mapping)}")
    if not mapping:
        problems.append("the space is empty: name at least one parameter")
    tree = _parse_group(mapping.items(), "", problems)
    if problems:
        raise SpaceError(*problems)
    return Space(tree)


_MAKERS: Mapping[str, tuple[Callable[..., Distribution | Choice], int]] = {
    "uniform": (uniform, 2),
    "loguniform": (loguniform, 2),
    "quniform": (quniform, 3),
    "qloguniform": (qloguniform, 3),
    "normal": (normal, 2),
    "lognormal": (lognormal, 2),
    "randint": (randint, 2),
    "choice": (choice, -1),
}
# What MLflow takes in the name of a parameter, without the dot, which joins names.
_NAME = re.compile(r"[\w\- :]+(/[\w\- :]+)*")
_DEEPEST = 20  # a mapping that holds itself has no end


def _parse_group(items: Iterable[tuple[object, object]], path: str, problems: list[str]) -> Group:
    parsed = []
    for name, value in items:
        below = f"{path}.{name}" if path else str(name)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(
                f"{below!r}: a name is text of letters, digits, '_', '-', ':', '/' and spaces, no dots; not {name!r}"
            )
        parsed.append((str(name), _parse(value, below, problems)))
    return Group(tuple(parsed))


def _parse(value: object, path: str, problems: list[str]) -> object:
    if path.count(".") + path.count("[") > _DEEPEST:
        problems.append(f"{path[:40]!r}…: nested deeper than {_DEEPEST}")
        return None
    if isinstance(value, Mapping):
        made = _from_yaml(value, path, problems)
        return _parse_group(value.items(), path, problems) if made is None else made
    if isinstance(value, Distribution):
        problems.extend(f"{path!r}: {type(value).__name__.lower()}: {problem}" for problem in value.problems())
        return value
    if isinstance(value, Choice):
        if not value.options:
            problems.append(f"{path!r}: choice has no options; give at least one")
        return Choice(tuple(_parse(o, f"{path}[{i}]", problems) for i, o in enumerate(value.options)))
    return _parse_plain(value, path, problems)


def _from_yaml(mapping: Mapping[object, object], path: str, problems: list[str]) -> object:
    """What ``{name: [arguments]}`` stands for; None if it is a nested space."""
    name, arguments = next(iter(mapping.items()), ("", None))
    if len(mapping) != 1 or isinstance(arguments, Mapping | Distribution | Choice):
        return None
    if not isinstance(name, str) or name not in _MAKERS:
        hint = near(str(name), tuple(_MAKERS)) if isinstance(arguments, list | tuple) else ""
        if hint:
            problems.append(f"{path!r}: unknown distribution {name!r}{hint}")
        return None
    make, count = _MAKERS[name]
    if not isinstance(arguments, list | tuple) or count not in (-1, len(arguments)):
        wanted = "options" if count < 0 else f"{count} numbers"
        problems.append(f"{path!r}: {name} takes a list of {wanted}, not {arguments!r}")
        return ()
    return _parse(make(*(arguments if count < 0 else map(_yaml_number, arguments))), path, problems)


def _yaml_number(value: object) -> object:
    """YAML reads 1e-4, without a dot, as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _parse_plain(value: object, path: str, problems: list[str]) -> object:
    if isinstance(value, list | tuple):
        return tuple(_parse_plain(item, f"{path}[{index}]", problems) for index, item in enumerate(value))
    if isinstance(value, str):
        return "".join(value)  # numpy's text becomes plain
    if type(value).__name__ in {"bool_", "bool"} and type(value).__module__ in {"numpy", "builtins"}:
        return bool(value)
    simple = number(value)
    if simple is None or (isinstance(simple, int | float) and simple == simple):  # nan is not itself
        return simple
    problems.append(
        f"{path!r}: {_kind(value)} is not allowed; give a distribution, a number, text, a bool, None, "
        "or a list or a mapping of these"
    )
    return None


def _kind(value: object) -> str:
    return (
        repr(value) if isinstance(value, float) else f"a value of type {type(value).__module__}.{type(value).__name__}"
    )
