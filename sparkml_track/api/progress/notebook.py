"""Progress below the cell of a notebook."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sparkml_track.api.progress.panel import panel
from sparkml_track.api.progress.words import sentence

if TYPE_CHECKING:
    from sparkml_track.adapters.notebooks.output import Output
    from sparkml_track.engine.loop.progress import Progress

__all__ = ["NotebookDisplay"]

_log = logging.getLogger(__name__)
#: Seconds between changes of what is shown: each one is sent to the page, and kept by who executes notebooks.
EVERY = 0.5


class NotebookDisplay:
    """Shows how far a sweep is. A page that cannot be reached costs the display and nothing else.

    Args:
        name: of the sweep.
        output: of the cell that runs.
        clock: seconds that nobody sets.
    """

    def __init__(self, name: str, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._output, self._clock = name, output, clock
        self._shown = -EVERY
        self._last: Progress | None = None
        self._gone = False

    def start(self) -> None:
        """Shows that it begins."""
        self._show(())

    def __call__(self, progress: Progress) -> None:
        """Shows, if it is time."""
        self._last, now = progress, self._clock()
        if progress.ended or now - self._shown >= EVERY:
            self._shown = now
            self._show(())

    def stop(self) -> None:
        """Leaves what was shown last."""

    def ended(self, lines: Sequence[str]) -> None:
        """Adds what it found."""
        self._show(lines)

    def _show(self, lines: Sequence[str]) -> None:
        if self._gone:
            return
        html = panel(self._name, self._last, self._output.way_to_end, lines)
        said = "starting" if self._last is None else f"{self._last.done} done, {sentence(self._last)}"
        try:
            self._output.show(html, "\n".join([f"{self._name}: {said}", *lines]))
        except Exception as error:  # noqa: BLE001 - whatever the notebook's library raises, trials do not depend on it
            self._gone = True
            _log.warning("the notebook shows no progress any more: %s: %s", type(error).__name__, error)
