"""From what the user wrote, in Python or in YAML, to a space."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from sparkml_track.errors import SpaceError
from sparkml_track.space.distributions import (
    Distribution,
    lognormal,
    loguniform,
    normal,
    number,
    qloguniform,
    quniform,
    randint,
    uniform,
)
from sparkml_track.space.space import Space
from sparkml_track.space.tree import Choice, Group, choice, near

__all__ = ["parse"]


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
#: The way out for what cannot be recorded as a parameter.
_LOOK_UP = "; give names as options, choice('a', 'b'), and look up in the objective what they stand for"
_DEEPEST = 20  # a mapping that holds itself has no end


def _parse_group(items: Iterable[tuple[object, object]], path: str, problems: list[str]) -> Group:
    parsed = []
    for name, value in items:
        below = f"{path}.{name}" if path else str(name)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(
                f"{below!r}: a name is text of letters, digits, '_', '-', ':', '/' and spaces, no dots; not {name!r}"
                f"{'' if isinstance(name, str) else _LOOK_UP}"
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
        return _text("".join(value), path, problems)  # numpy's text becomes plain
    if type(value).__name__ in {"bool_", "bool"} and type(value).__module__ in {"numpy", "builtins"}:
        return bool(value)
    simple = number(value)
    if simple is None or (isinstance(simple, int | float) and simple == simple):  # nan is not itself
        return simple
    problems.append(
        f"{path!r}: {_kind(value)} is not allowed; give a distribution, a number, text, a bool, None, "
        f"or a list or a mapping of these{_way_out(value)}"
    )
    return None


def _text(value: str, path: str, problems: list[str]) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        problems.append(f"{path!r}: {value[:80]!a} is not Unicode text, so it cannot be stored; allowed is any that is")
    return value


def _way_out(value: object) -> str:
    if isinstance(value, float):
        return ""
    if isinstance(value, Iterable) and not isinstance(value, type):
        return f"; for one option each, unpack it: choice(*{value if isinstance(value, range) else 'options'})"
    return _LOOK_UP


def _kind(value: object) -> str:
    return (
        repr(value) if isinstance(value, float) else f"a value of type {type(value).__module__}.{type(value).__name__}"
    )
