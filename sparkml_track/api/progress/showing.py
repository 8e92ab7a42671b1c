"""Which display a sweep has: the caller's own, a notebook's, a terminal's, a log's, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from sparkml_track.adapters.notebooks.front_end import front_end
from sparkml_track.adapters.notebooks.output import output_of
from sparkml_track.api.progress.lines import LogLines
from sparkml_track.api.progress.notebook import NotebookDisplay
from sparkml_track.api.progress.terminal import TerminalDisplay
from sparkml_track.engine.loop.progress import Progress, ProgressListener

__all__ = ["Display", "display"]


class Display(Protocol):
    """Shows one sweep, on the thread of its caller; never raises for what it shows on."""

    def start(self) -> None:
        """Begins."""

    def __call__(self, progress: Progress) -> None:
        """Takes a look at it."""

    def asked(self) -> bool:
        """Whether a person asked for the end here."""

    def stop(self) -> None:
        """Draws no more; called once, also after an error."""

    def ended(self, lines: Sequence[str]) -> None:
        """Says what it found; called after ``stop``, not after an error."""


@contextmanager
def display(name: str, given: ProgressListener | bool | None) -> Iterator[Display]:
    """The display of a sweep.

    Args:
        name: of the sweep.
        given: a listener, which gets every look; False for none; True or None for where the caller is: the output of
            a notebook's cell, stderr if it is a terminal, else the log.
    """
    shown = _display(name, given)
    shown.start()
    try:
        yield shown
    finally:
        shown.stop()


def _display(name: str, given: ProgressListener | bool | None) -> Display:
    if given is False:
        return _Given(_silent)
    if given is not None and given is not True:
        return _Given(given)
    where = front_end()
    if where.notebook:
        return NotebookDisplay(name, output_of(where))
    from rich.console import Console

    console = Console(stderr=True)
    return LogLines(name) if not console.is_terminal or console.is_dumb_terminal else TerminalDisplay(name, console)


def _silent(progress: Progress) -> None:
    """Shows nothing."""


class _Given:
    """Passes looks on."""

    def __init__(self, listener: ProgressListener) -> None:
        self._listener = listener

    def start(self) -> None:
        """Nothing."""

    def __call__(self, progress: Progress) -> None:
        """Passes it on, and raises what that raises: who reports progress stops then."""
        self._listener(progress)

    def asked(self) -> bool:
        """Nobody can."""
        return False

    def stop(self) -> None:
        """Nothing."""

    def ended(self, lines: Sequence[str]) -> None:
        """Nothing: the caller has the result."""
