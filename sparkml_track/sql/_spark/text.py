"""The text of a query with Spark's parameters (``:name``) and with other table names, everything else left as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["parameters", "replaced", "with_markers"]

# Literals, quoted identifiers and comments are skipped whole; what is left may hold a parameter.
_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?<![\w$])\$(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL,
)


def parameters(text: str) -> frozenset[str]:
    """The names of ``$name``."""
    return frozenset(found["name"] for found in _TOKEN.finditer(text) if found["name"])


def with_markers(text: str) -> str:
    """``$name`` as ``:name``, which has the same length: places in the text stay."""
    return _TOKEN.sub(lambda found: f":{found['name']}" if found["name"] else found[0], text)


def replaced(text: str, pieces: Iterable[tuple[int, int, str]]) -> str:
    """The text with pieces of it replaced.

    Args:
        text: of a query.
        pieces: start, end (exclusive), and what comes there instead; they do not overlap.
    """
    return "".join(_parts(text, sorted(pieces)))


def _parts(text: str, pieces: list[tuple[int, int, str]]) -> Iterator[str]:
    at = 0
    for start, end, other in pieces:
        yield text[at:start]
        yield other
        at = end
    yield text[at:]
