"""Progress on a terminal: done, running, failed, best so far, time left. A line now and then where there is none."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sparkml_track.engine.loop.progress import Progress, ProgressListener
from sparkml_track.readable import duration

__all__ = ["display", "ended", "sentence"]

_log = logging.getLogger(__name__)
#: Seconds between lines where output is not a terminal.
_LINE_EVERY = 30.0


@contextmanager
def display(name: str, planned: int | None, given: ProgressListener | bool | None) -> Iterator[ProgressListener]:
    """Gives the listener that was given, none for False; else one that draws on stderr, or logs without a terminal."""
    if given is False:
        yield _silent
        return
    if given is not None and given is not True:
        yield given
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(name)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[say]}"))
    with Bar(*columns, console=console, transient=False) as bar:
        task = bar.add_task(name, total=planned, say="starting")

        def show(progress: Progress) -> None:
            bar.update(task, total=progress.planned, completed=progress.done, say=sentence(progress))

        yield show


def _silent(progress: Progress) -> None:
    """Shows nothing."""


class _Lines:
    """Logs a line at most every ``_LINE_EVERY`` seconds, for job logs of clusters."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY:
            self._last = now
            of = f"/{progress.planned}" if progress.planned else ""
            _log.info("%s: %d%s done, %s", self._name, progress.done, of, sentence(progress))


def sentence(progress: Progress) -> str:
    """What is worth saying beside the number of trials that are done."""
    parts = [f"{progress.running} running"]
    if progress.waiting and not progress.running:
        parts.append(f"{progress.waiting} waiting for slots")
    parts += [f"{count} {name}" for name, count in (("pruned", progress.pruned), ("killed", progress.killed)) if count]
    parts.append(f"{progress.failed} failed")
    if progress.best is not None:
        parts.append(f"best {progress.best:.6g} (trial {progress.best_number})")
    if progress.remaining is not None:
        parts.append(f"{duration(progress.remaining)} left")
    if progress.note:
        parts.append(progress.note)
    return ", ".join(parts)


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
