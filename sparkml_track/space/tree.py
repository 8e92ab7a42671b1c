"""The tree inside a search space, and what can be done with it.

A node is a distribution, a choice, a group of named nodes, or a plain value (None, a bool, a number, text, a tuple of
these).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from sparkml_track.space.distributions import Distribution

__all__ = [
    "Choice",
    "Group",
    "Leaf",
    "Match",
    "build",
    "choice",
    "combinations",
    "constants",
    "flatten",
    "leaves",
    "match",
    "names",
    "near",
    "plain_values",
    "size",
    "spec",
]


@dataclass(frozen=True)
class Choice:
    """One of several options, all equally likely: plain values, distributions or nested spaces.

    Attributes:
        options: as the user gave them; in a parsed space plain values, distributions, choices and groups.
    """

    options: tuple[object, ...]

    def quantile(self, u: float) -> int:
        """The **index** of an option, for ``u`` in [0, 1)."""
        return min(int(u * len(self.options)), len(self.options) - 1)

    def __str__(self) -> str:
        return f"choice({', '.join(show(option) for option in self.options)})"


def choice(*options: object) -> Choice:
    """One of the options: plain values (numbers, text, bools, None, lists of these) or nested spaces."""
    return Choice(options)


@dataclass(frozen=True)
class Group:
    """A nested space: names and what each may be, in the user's order."""

    items: tuple[tuple[str, object], ...]

    def __str__(self) -> str:
        return "{" + ", ".join(f"{name}: {show(node)}" for name, node in self.items) + "}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One random decision.

    Attributes:
        key: unique in the space (``model[1].depth``).
        name: as recorded (``model.depth``); options of a choice may share it.
        what: the distribution, or the choice, whose decision is the index of an option.
        conditions: it is decided only if each of these choices (by key) took this option (by index).
    """

    key: str
    name: str
    what: Distribution | Choice
    conditions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """How a flattened point fits a node.

    Attributes:
        decisions: leaf keys to values or option indices.
        used: the names of the point that the node accounts for.
        problems: why it does not fit; empty if it does.
        doubts: constants that the point leaves out, and values equal to, but not of the type of those of the node.
            Among several options that fit, the one with the fewest is meant: 1 and 1.0 are different options by this.
    """

    decisions: Mapping[str, object] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    doubts: int = 0

    def __add__(self, other: Match) -> Match:
        return Match(
            {**self.decisions, **other.decisions},
            self.used | other.used,
            self.problems + other.problems,
            self.doubts + other.doubts,
        )


def flatten(params: Mapping[str, object]) -> dict[str, object]:
    """Joins the names of nested mappings with dots; tuples become lists."""
    flat: dict[str, object] = {}
    _flatten_into(flat, params, "")
    return flat


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def show(node: object) -> str:
    return str(node) if isinstance(node, Distribution | Choice | Group) else repr(plain(node))


def plain(value: object) -> object:
    """The JSON form of a plain value: a fresh list for each tuple."""
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


#: What nearly all values are: to ask whether one of them is a mapping takes longer than all else here.
_SCALARS = frozenset({bool, float, int, str, type(None)})


def _flatten_into(flat: dict[str, object], params: Mapping[str, object], prefix: str) -> None:
    for name, value in params.items():
        path = _join(prefix, str(name))
        if type(value) in _SCALARS:
            flat[path] = value
        elif isinstance(value, Mapping):
            _flatten_into(flat, value, path)
        else:
            flat[path] = plain(value)


def leaves(node: object, key: str = "", name: str = "", conditions: tuple[tuple[str, int], ...] = ()) -> Iterator[Leaf]:
    """All random decisions below a node, parents before children."""
    if isinstance(node, Group):
        for child, below in node.items:
            yield from leaves(below, _join(key, child), _join(name, child), conditions)
    elif isinstance(node, Choice):
        yield Leaf(key, name, node, conditions)
        for index, option in enumerate(node.options):
            yield from leaves(option, f"{key}[{index}]", name, (*conditions, (key, index)))
    elif isinstance(node, Distribution):
        yield Leaf(key, name, node, conditions)


def names(node: object, name: str = "") -> Iterator[str]:
    """All names that can be recorded below a node; one may come several times."""
    if isinstance(node, Group):
        for child, below in node.items:
            yield from names(below, _join(name, child))
    elif isinstance(node, Choice):
        for option in node.options:
            yield from names(option, name)
    else:
        yield name


def plain_values(node: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Names and plain values below a node; None where the value is drawn."""
    if isinstance(node, Group):
        for child, below in node.items:
            yield from plain_values(below, _join(name, child))
    elif isinstance(node, Choice):
        for option in node.options:
            yield from plain_values(option, name)
    else:
        yield name, None if isinstance(node, Distribution) else plain(node)


def constants(node: Group, name: str = "") -> Iterator[tuple[str, object]]:
    """Names and values of what no decision changes."""
    for child, below in node.items:
        alone = below.options[0] if isinstance(below, Choice) and len(below.options) == 1 else below
        if isinstance(alone, Group):
            yield from constants(alone, _join(name, child))
        elif not isinstance(alone, Choice | Distribution):
            yield _join(name, child), alone


def size(node: object) -> int | None:
    """How many points a node has, counted with repetitions; None if a distribution is not countable."""
    if isinstance(node, Distribution):
        return node.size
    if not isinstance(node, Group | Choice):
        return 1
    sizes = [size(below) for below in (node.options if isinstance(node, Choice) else dict(node.items).values())]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    return sum(known) if isinstance(node, Choice) else math.prod(known)


def build(node: object, key: str, decide: Callable[[str], object]) -> object:
    """Makes the value of a node, asking for each decision that is needed by its key."""
    if isinstance(node, Group):
        return {name: build(below, _join(key, name), decide) for name, below in node.items}
    if isinstance(node, Choice):
        index = decide(key)
        assert isinstance(index, int)
        return build(node.options[index], f"{key}[{index}]", decide)
    return decide(key) if isinstance(node, Distribution) else plain(node)


def combinations(node: object, key: str = "") -> Iterator[dict[str, object]]:
    """All decisions that a node can take, by key, the last name changing fastest; its values must be countable."""
    if isinstance(node, Group):
        yield from _product(node.items, key)
    elif isinstance(node, Choice):
        for index, option in enumerate(node.options):
            for below in combinations(option, f"{key}[{index}]"):
                yield {key: index, **below}
    elif isinstance(node, Distribution):
        for index in range(node.size or 0):
            yield {key: node.at(index)}
    else:
        yield {}


def _product(items: tuple[tuple[str, object], ...], key: str) -> Iterator[dict[str, object]]:
    if not items:
        yield {}
        return
    name, node = items[0]
    for first in combinations(node, _join(key, name)):
        for rest in _product(items[1:], key):
            yield {**first, **rest}


def spec(node: object) -> object:
    """The JSON form of a node, as config files have it."""
    if isinstance(node, Group):
        return {name: spec(below) for name, below in node.items}
    if isinstance(node, Choice):
        return {"choice": [spec(option) for option in node.options]}
    if isinstance(node, Distribution):
        return {type(node).__name__.lower(): list(node.arguments)}
    return plain(node)


def near(name: str, known: tuple[str, ...]) -> str:
    """A question at the end of a message: the known name that this one may have meant, or nothing."""
    lower = {other.lower(): other for other in known}
    close = get_close_matches(name.lower(), lower, n=1)
    return f". Did you mean {lower[close[0]]!r}?" if close else ""


def match(node: object, flat: Mapping[str, object], key: str = "", name: str = "") -> Match:
    """Finds the decisions that lead a node to a flattened point; of several ways the first.

    Constants may be missing from the point. Names that it has beside the node's are not looked at.
    """
    if isinstance(node, Group):
        below = (match(child, flat, _join(key, n), _join(name, n)) for n, child in node.items)
        return sum(below, Match())
    if isinstance(node, Choice):
        return _match_choice(node, flat, key, name)
    if isinstance(node, Distribution):
        return _match_distribution(node, flat, key, name)
    if name not in flat:
        return Match(doubts=1)
    value, used = flat[name], frozenset({name})
    if not _same(node, value):
        return Match(used=used, problems=(f"{name!r} is {value!r}; allowed: {show(node)}",))
    return Match(used=used, doubts=int(repr(plain(node)) != repr(plain(value))))


def _match_distribution(node: Distribution, flat: Mapping[str, object], key: str, name: str) -> Match:
    if name not in flat:
        return Match(problems=(f"{name!r} is missing; allowed: {node}",))
    value, used = flat[name], frozenset({name})
    if not node.contains(value):
        return Match(used=used, problems=(f"{name!r} is {value!r}; allowed: {node}",))
    assert isinstance(value, int | float)
    ours = node.coerce(value)
    return Match({key: ours}, used, doubts=int(repr(ours) != repr(value)))


def _match_choice(node: Choice, flat: Mapping[str, object], key: str, name: str) -> Match:
    given = {n: value for n, value in flat.items() if n == name or n.startswith(name + ".")}
    tried = [_match_option(option, given, f"{key}[{index}]", name) for index, option in enumerate(node.options)]
    fits = [index for index, found in enumerate(tried) if not found.problems]
    if not fits:
        return Match(used=frozenset(given), problems=_why_none(node, given, name, tried))
    best = min(fits, key=lambda index: tried[index].doubts)
    return Match({key: best}, frozenset(given)) + tried[best]


def _match_option(option: object, given: Mapping[str, object], key: str, name: str) -> Match:
    if not given and not _vanishes(option):
        return Match(problems=(f"{name!r} is missing",))
    found = match(option, given, key, name)
    extra = tuple(f"{n!r} is not part of this option" for n in given if n not in found.used)
    return found + Match(problems=extra)


def _vanishes(node: object) -> bool:
    """Whether nothing may be left of it in a flattened point: an empty mapping."""
    if isinstance(node, Choice):
        return any(map(_vanishes, node.options))
    return isinstance(node, Group) and all(_vanishes(below) for _, below in node.items)


def _why_none(node: Choice, given: Mapping[str, object], name: str, tried: list[Match]) -> tuple[str, ...]:
    if not given:
        return (f"{name!r} is missing; allowed: {node}",)
    if set(given) == {name}:
        hint = near(str(given[name]), tuple(str(option) for option in node.options if isinstance(option, str)))
        return (f"{name!r} is {given[name]!r}; allowed: {node}{hint}",)
    best = max(range(len(tried)), key=lambda index: (len(tried[index].used), -len(tried[index].problems)))
    return (
        f"{name!r} fits none of its {len(tried)} options; the nearest is option {best + 1}, where "
        + " and ".join(tried[best].problems),
    )


def _same(ours: object, value: object) -> bool:
    """Equal as values: 1 and 1.0 are, 1 and True are not, a list is a tuple."""
    if isinstance(ours, tuple | list) and isinstance(value, tuple | list):
        return len(ours) == len(value) and all(map(_same, ours, value))
    return isinstance(ours, bool) == isinstance(value, bool) and ours == value
