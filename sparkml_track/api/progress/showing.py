"""Which display a sweep has: the caller's own, a terminal's, a log's, or none."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sparkml_track.api.progress.lines import LogLines
from sparkml_track.engine.loop.progress import Progress, ProgressListener

__all__ = ["display", "ended"]

_log = logging.getLogger(__name__)


@contextmanager
def display(name: str, given: ProgressListener | bool | None) -> Iterator[ProgressListener]:
    """Gives the listener that was given, none for False; else one that draws on stderr, or logs without a terminal."""
    if given is False:
        yield _silent
        return
    if given is not None and given is not True:
        yield given
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield LogLines(name)
        return
    from sparkml_track.api.progress.terminal import TerminalDisplay

    shown = TerminalDisplay(name, console)
    shown.start()
    try:
        yield shown
    finally:
        shown.stop()


def _silent(progress: Progress) -> None:
    """Shows nothing."""


def ended(lines: Sequence[str], given: ProgressListener | bool | None) -> None:
    """Says how a sweep ended where its progress was shown: on the terminal, else in the log."""
    if given is False or (given is not None and given is not True):
        return
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in lines:
        if console.is_terminal:
            with suppress(OSError, ValueError):
                console.print(line, markup=False)
        else:
            _log.info("%s", line)
