"""Parameters of queries: values from words, and whether all are there."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime

from sparkml_track.errors import InvalidInput

__all__ = ["PARAMETER_TYPES", "check_parameters", "parameter_value", "refuse_surrogates"]


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _bool(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _long(text: str) -> int:
    found = int(text)
    if not -(2**63) <= found < 2**63:
        raise ValueError(text)
    return found


def _double(text: str) -> float:
    found = float(text)
    # Guessed from words, "nan" and "inf" would rather be strings.
    if not math.isfinite(found):
        raise ValueError(text)
    return found


_READERS: dict[str, Callable[[str], object]] = {
    "long": _long,
    "double": _double,
    "boolean": _bool,
    "date": date.fromisoformat,
    "timestamp": _instant,
    "string": str,
}
PARAMETER_TYPES = tuple(_READERS)


def parameter_value(name: str, text: str, kind: str | None = None) -> object:
    """Reads a value.

    Args:
        name: of the parameter, for the message.
        text: as it was written.
        kind: one of ``PARAMETER_TYPES``; None takes the first of them that can read the text.

    Raises:
        InvalidInput: the text is not of the type, or there is no such type.
    """
    if kind is not None and kind not in _READERS:
        raise InvalidInput(f"parameter {name!r} has the type {kind!r}; allowed are {', '.join(PARAMETER_TYPES)}")
    for each in [kind] if kind else PARAMETER_TYPES:
        try:
            return _READERS[each](text)
        except (ValueError, KeyError, OverflowError):
            continue
    raise InvalidInput(f"parameter {name!r} is {text!r}, which is not a {kind}; {_EXAMPLES.get(kind or '', '')}")


_EXAMPLES = {
    "long": "give a whole number of 64 bits, like 42",
    "double": "give a finite number, like 0.5",
    "boolean": "give true or false",
    "date": "give a day, like 2013-11-01",
    "timestamp": "give a moment, like 2013-11-01T12:00:00Z",
}


def check_parameters(asked: Collection[str], given: Mapping[str, object]) -> None:
    """Refuses values that are missing or that nothing asks for.

    Raises:
        InvalidInput: names all of them.
    """
    problems = [
        f"the query has the parameter ${name}, and no value was given for it"
        for name in sorted(asked)
        if name not in given
    ]
    for name in sorted(set(given) - set(asked)):
        near = difflib.get_close_matches(name, asked, n=1)
        known = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(asked)) or 'none'}"
        problems.append(f"the query has no parameter {name!r}; {known}")
    if problems:
        raise InvalidInput(*problems)


def refuse_surrogates(text: str) -> None:
    """Refuses a query that no library can take as text.

    Raises:
        InvalidInput: it holds halves of characters.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the query holds what is not Unicode text: {error.reason}") from None
