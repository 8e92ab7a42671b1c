"""Progress below the cell of a notebook."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from sparkml_track.api.progress.panel import panel
from sparkml_track.api.progress.words import sentence

if TYPE_CHECKING:
    from sparkml_track.adapters.notebooks.output import Output
    from sparkml_track.adapters.notebooks.stop_button import StopButton
    from sparkml_track.engine.loop.progress import Progress

__all__ = ["NotebookDisplay"]

_log = logging.getLogger(__name__)
#: Seconds between changes of what is shown: each one is sent to the page, and kept by who executes notebooks.
EVERY = 0.5
#: Where one of these is set, the page is on another machine, whose browser finds no address of this one.
REMOTE = frozenset(
    {
        "JUPYTERHUB_USER",
        "SSH_CONNECTION",
        "COLAB_RELEASE_TAG",
        "KUBERNETES_SERVICE_HOST",
        "DATABRICKS_RUNTIME_VERSION",
        "SAGEMAKER_INTERNAL_IMAGE_URI",
        "KERNEL_GATEWAY",
    }
)


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
        self._way_to_end = output.way_to_end
        self._button: StopButton | None = None

    def start(self) -> None:
        """Shows that it begins."""
        if self._way_to_end and not REMOTE.intersection(os.environ):
            from sparkml_track.adapters.notebooks.stop_button import StopButton  # a server: only where one is needed

            with suppress(OSError):
                self._button = StopButton(self._name)
        self._show(())

    def __call__(self, progress: Progress) -> None:
        """Shows, if it is time."""
        self._last, now = progress, self._clock()
        if progress.ended and self._button is not None:
            self._button.close()
        if progress.ended or now - self._shown >= EVERY:
            self._shown = now
            self._show(())

    def asked(self) -> bool:
        """Whether somebody pressed the button."""
        return self._button is not None and self._button.pressed

    def stop(self) -> None:
        """Leaves what was shown last, but for how to end it."""
        self._way_to_end = ""
        if self._button is not None:
            self._button.close()
            self._button = None
        if self._last is not None and not self._last.ended:
            self._show(())

    def ended(self, lines: Sequence[str]) -> None:
        """Adds what it found."""
        self._show(lines)

    def _show(self, lines: Sequence[str]) -> None:
        if self._gone:
            return
        stop = "" if self._button is None else self._button.url
        html = panel(self._name, self._last, self._way_to_end, lines, stop)
        said = "starting" if self._last is None else f"{self._last.done} done, {sentence(self._last)}"
        try:
            self._output.show(html, "\n".join([f"{self._name}: {said}", *lines]))
        except Exception as error:  # noqa: BLE001 - whatever the notebook's library raises, trials do not depend on it
            self._gone = True
            _log.warning("the notebook shows no progress any more: %s: %s", type(error).__name__, error)
