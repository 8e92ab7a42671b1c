"""Queries in files, such as ``queries/late.sql``: what they need is said in comments above them.

-- description: flights of a day that came late
-- params: day date = 2013-11-01, most long
SELECT ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track.errors import InvalidInput
from sparkml_track.sql import PARAMETER_TYPES, parameter_value

__all__ = ["Param", "SavedQuery", "parse_saved", "read_saved"]

_HEADER = re.compile(r"\s*--\s*(params|description)\s*:(.*)")
_PARAM = re.compile(r"""\s*([A-Za-z_]\w*)(?:\s+(\w+))?\s*(?:=\s*('[^']*'|"[^"]*"|[^,]*))?\s*(?:,|$)""")
_MOST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a saved query.

    Attributes:
        kind: one of ``PARAMETER_TYPES``; None for what the value looks like.
        default: as it is written, None if a value must be given.
    """

    kind: str | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A query of a file.

    Attributes:
        name: the file's, without its end.
        text: SQL, with the comments.
        params: by name.
        description: one line.
    """

    name: str
    text: str
    params: Mapping[str, Param] = field(default_factory=dict)
    description: str = ""

    def values(self, given: Mapping[str, str]) -> dict[str, object]:
        """Values for all parameters: those given as words, else the defaults.

        Args:
            given: by name, as ``name`` or ``name:type``.

        Raises:
            InvalidInput: a value is not of its type; all problems at once.
        """
        defaults = {name: one.default for name, one in self.params.items() if one.default is not None}
        named = {key.partition(":")[0]: (key.partition(":")[2] or None, text) for key, text in given.items()}
        values, problems = dict[str, object](), list[str]()
        for name in [*defaults, *(key for key in named if key not in defaults)]:
            kind, text = named.get(name, (None, defaults.get(name, "")))
            declared = self.params[name].kind if name in self.params else None
            try:
                values[name] = parameter_value(name, text, kind or declared)
            except InvalidInput as error:
                problems += error.problems
        if problems:
            raise InvalidInput(*problems)
        return values


def read_saved(path: Path) -> SavedQuery:
    """Reads a file.

    Raises:
        InvalidInput: it is not there, is no text, or its comments cannot be read.
    """
    try:
        if path.stat().st_size > _MOST:
            raise InvalidInput(f"{path} is larger than {_MOST:,} bytes, so it is not a query")
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"the query {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return parse_saved(path.stem, text, str(path))


def parse_saved(name: str, text: str, where: str = "the query") -> SavedQuery:
    """A query from its text.

    Args:
        name: of it.
        text: SQL, with the comments.
        where: it comes from, for messages.

    Raises:
        InvalidInput: its comments cannot be read.
    """
    headers = [found for line in text.splitlines() if (found := _HEADER.fullmatch(line))]
    params = dict[str, Param]()
    for header in headers:
        if header[1] == "params":
            params |= _params(header[2], where)
    description = next((header[2].strip() for header in headers if header[1] == "description"), "")
    return SavedQuery(name, text, params, description)


def _params(text: str, where: str) -> dict[str, Param]:
    params, at = dict[str, Param](), 0
    while text[at:].strip():
        found = _PARAM.match(text, at)
        if found is None or (found[2] and found[2] not in PARAMETER_TYPES):
            raise InvalidInput(
                f"{where} declares the parameters {text.strip()!r}; write name type = value, joined by commas, where "
                f"type is one of {', '.join(PARAMETER_TYPES)}, like: -- params: day date = 2013-11-01, most long"
            )
        default = found[3]
        params[found[1]] = Param(found[2], None if default is None else _unquoted(default.strip()))
        at = found.end()
    return params


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
