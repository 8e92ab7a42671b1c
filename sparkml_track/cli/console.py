"""What a command says while it works: a terminal that is gone costs messages, never the work."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["print_table", "say"]


def say(console: Console, *what: Any, **how: Any) -> None:
    """Prints, if there is anybody to read it: not on a full disk, a closed pipe or a closed descriptor."""
    try:
        with suppress(OSError, ValueError):
            console.print(*what, **how)
    except SystemExit as ended:
        # rich ends the process at a pipe that nobody reads any more, and has put the null device in its place.
        if not isinstance(ended.__context__, BrokenPipeError):
            raise


def print_table(table: Table) -> None:
    """Prints a table as wide as it is: ids are for copying, also where the output is not a terminal."""
    width = Console(width=10_000).measure(table).maximum
    Console(highlight=False, soft_wrap=True, width=max(width, 80)).print(table)
