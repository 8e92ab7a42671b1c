"""What a command says while it works: a terminal that is gone costs messages, never the work."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rich.console import Console

__all__ = ["say"]


def say(console: Console, *what: Any, **how: Any) -> None:
    """Prints, if there is anybody to read it: not on a full disk, a closed pipe or a closed descriptor."""
    with suppress(OSError, ValueError):
        console.print(*what, **how)
