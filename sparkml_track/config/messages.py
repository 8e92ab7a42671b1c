"""What is wrong in a config file, in sentences: the key, what is allowed, the value got."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from sparkml_track.config.yaml import Document, Place, dotted

__all__ = ["Complaint", "complaints", "did_you_mean", "one_of"]

#: Where, and a sentence that begins with the key.
Complaint = tuple[Place, str]

_ALLOWED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "int_type": "a whole number",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "list_type": "a list",
    "literal_error": "one of {expected}",
    "model_type": "a mapping",
    "one_of": "one of {expected}",
    "string_type": "text",
    "tuple_type": "a list",
    "value_error": "{error}",
}
# Where a password or a token may stand: the value is not shown.
_SECRETS = ("password", "secret", "token", "uri", "conf")


def complaints(error: ValidationError, model: type[BaseModel], document: Document) -> Iterator[Complaint]:
    """One sentence for each value, however many of its allowed types it fails."""
    gathered: dict[Place, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        gathered.setdefault(_place(detail, document), []).append(detail)
    for path, details in gathered.items():
        yield path, _sentence(path, details, model)


def _place(detail: ErrorDetails, document: Document) -> Place:
    """Cuts from pydantic's location what names a member of a union, not a place in the file."""
    path = detail["loc"]
    if detail["type"] == "missing":
        return path
    while path and path not in document.lines:
        path = path[:-1]
    return path


def _sentence(path: Place, details: Sequence[ErrorDetails], model: type[BaseModel]) -> str:
    first, key = details[0], dotted(path) or "the file"
    if first["type"] == "missing":
        return f"{key}: missing; it must be given"
    if first["type"] == "extra_forbidden":
        keys = _keys(path[:-1], model)
        return f"{key}: unknown key; allowed: {', '.join(keys)}{did_you_mean(str(path[-1]), keys)}"
    allowed = " or ".join(dict.fromkeys(map(_allowed, details)))
    expected = re.findall("'([^']*)'", str(first.get("ctx", {}).get("expected", "")))
    return f"{key}: must be {allowed}, not {_shown(path, first['input'])}{did_you_mean(str(first['input']), expected)}"


def one_of(value: object, names: Iterable[str]) -> None:
    """Raises what pydantic turns into a complaint, unless the value is one of the names."""
    expected = list(names)
    if value not in expected:
        raise PydanticCustomError("one_of", "one of {expected}", {"expected": ", ".join(map(repr, expected))})


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Ends a sentence; empty where nothing is close."""
    close = get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _allowed(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    wanted = _ALLOWED.get(detail["type"])
    return wanted.format(**context) if wanted else detail["msg"].lower()


def _shown(path: Place, value: object) -> str:
    if any(word in str(part).lower() for part in path for word in _SECRETS):
        return "what is given (not shown)"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _keys(path: Place, model: type[BaseModel]) -> list[str]:
    """The keys that the section at this path may have."""
    parts = iter(path)
    for part in parts:
        found = next(f for name, f in model.model_fields.items() if (f.alias or name) == part).annotation
        candidates = [found, *get_args(found)]
        model = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
        if get_origin(found) is dict:  # the next part is a name that the user chose
            next(parts)
    return [field.alias or name for name, field in model.model_fields.items()]
