"""Progress on a terminal: a few lines that are drawn again, as narrow as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sparkml_track.api.progress.words import best, counts, params, rate, running_now, slots
from sparkml_track.readable import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from sparkml_track.engine.loop.progress import Progress

__all__ = ["TerminalDisplay"]

#: Columns that the bar takes at most; characters that the name takes at most.
_BAR, _NAME = 30, 30
#: Lines that are left for what else is on the terminal.
_OTHER_LINES = 10
#: Columns from which on a bar, and trials that run, have a place.
_WIDE = 70


class TerminalDisplay:
    """Draws how far a sweep is.

    A terminal that goes away costs the display and nothing else. Between ``start`` and ``stop`` what else is printed
    appears above it.

    Args:
        name: of the sweep.
        console: on a terminal.
    """

    def __init__(self, name: str, console: Console) -> None:
        from rich.live import Live
        from rich.text import Text

        self._name, self._console = name, console
        # Drawn on the loop's own thread: one of rich's would end with a traceback where the terminal goes away.
        self._live = Live(Text(f"{name}: starting"), console=console, auto_refresh=False)
        self._gone = False

    def start(self) -> None:
        """Begins to draw."""
        self._do(lambda: self._live.start(refresh=True))

    def asked(self) -> bool:
        """Ctrl-C does."""
        return False

    def stop(self) -> None:
        """Leaves what was drawn last."""
        self._do(self._live.stop, always=True)

    def __call__(self, progress: Progress) -> None:
        """Draws."""
        self._do(lambda: self._live.update(self._drawn(progress), refresh=True))

    def ended(self, lines: Sequence[str]) -> None:
        """Prints what it found; paths and addresses are for copying: never broken."""
        for line in lines:
            self._do(partial(self._console.print, line, markup=False, highlight=False, soft_wrap=True))

    def _do(self, what: Callable[[], None], *, always: bool = False) -> None:
        if self._gone and not always:
            return
        try:
            with suppress(OSError, ValueError):
                what()
                return
        except SystemExit as ended:
            # rich ends the process at a pipe that nobody reads any more.
            if not isinstance(ended.__context__, BrokenPipeError):
                raise
        self._gone = True

    def _drawn(self, progress: Progress) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        width = self._console.width
        said = [" · ".join(filter(None, (f"{progress.finished} finished", *counts(progress), slots(progress))))]
        said += filter(None, (best(progress, max(20, width)), progress.note))
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in said]
        return Group(self._head(progress), *lines, *self._trials(progress))

    def _head(self, progress: Progress) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done, planned = progress.done, progress.planned
        share = f"{done}/{planned} {done * 100 // planned} %" if planned else f"{done} done"
        times = [f"{duration(progress.elapsed)}", rate(progress)]
        if progress.remaining is not None and not progress.ended:
            times.append(f"{duration(progress.remaining)} left")
        name = self._name if len(self._name) <= _NAME else f"{self._name[: _NAME - 1]}…"
        cells: list[RenderableType] = [Text(name, style="bold", no_wrap=True, overflow="ellipsis")]
        if planned and self._console.width >= _WIDE:
            cells.append(ProgressBar(total=planned, completed=done, width=_BAR))
        head = Table.grid(padding=(0, 1))
        head.add_row(*cells, Text(", ".join(filter(None, (share, *times))), no_wrap=True, overflow="ellipsis"))
        return head

    def _trials(self, progress: Progress) -> Iterator[RenderableType]:
        """Those that run, where there is room."""
        from rich.table import Table
        from rich.text import Text

        rows = progress.trials[: max(0, self._console.height - _OTHER_LINES)]
        if not rows or self._console.width < _WIDE:
            return
        table = Table("running", "for", "last report", "params", box=None, header_style="dim", padding=(0, 2, 0, 0))
        for one in rows:
            cells = [*running_now(one)[:3], params(one.params, self._console.width)]
            table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
        yield table
