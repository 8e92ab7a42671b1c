"""Three-part names: ``catalog.schema.object``, where the first two have defaults."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from sparkml_track.errors import InvalidInput

__all__ = ["CATALOG", "SCHEMA", "SYSTEM", "find", "full_name", "parse_pin"]

CATALOG, SCHEMA = "main", "default"
#: The schema of system tables; nobody else writes there.
SYSTEM = "system"


def full_name(name: str) -> str:
    """A table's name in full: ``flights`` is ``main.default.flights``, ``air.flights`` is ``main.air.flights``."""
    parts = name.split(".")
    return ".".join([*(CATALOG, SCHEMA)[: 3 - len(parts)], *parts])


def find(parts: Sequence[str], known: Iterable[str]) -> str:
    """The table that a query means: by its full name, else by it without regard to case, as in SQL.

    Args:
        parts: one to three identifiers.
        known: names of tables, in any form.

    Raises:
        InvalidInput: there is none, or there are several.
    """
    known, name = tuple(known), ".".join(parts)
    wanted, shown = full_name(name), name if name.isprintable() else repr(name)
    found = [each for each in known if full_name(each) == wanted]
    found = found or [each for each in known if full_name(each).lower() == wanted.lower()]
    if len(found) > 1:
        several = " or ".join(sorted(found))
        raise InvalidInput(f"{shown} may be {several}, which differ only in case or in defaults; rename one of them")
    if not found:
        near = difflib.get_close_matches(wanted, map(full_name, known), n=1)
        names = ", ".join(sorted(known)[:20])
        hint = f"Did you mean {near[0]}?" if near else f"There are: {names or 'none yet'}"
        raise InvalidInput(f"there is no table {shown}. {hint}")
    return found[0]


def parse_pin(text: str) -> tuple[str, int]:
    """``air.flights@3`` (or ``@v3``) as name and version.

    Raises:
        InvalidInput: it is something else.
    """
    name, _, version = text.rpartition("@")
    number = version.removeprefix("v")
    if not name or not number.isascii() or not number.isdigit():
        raise InvalidInput(f"{text!r} does not pin a version; write table@version, like air.flights@3")
    return name, int(number)
