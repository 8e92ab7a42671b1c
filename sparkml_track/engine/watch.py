"""What looks at the loop once each turn: signals, the progress display, shared folders."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from sparkml_track.engine.loop.ports import SweepState
from sparkml_track.engine.loop.progress import ProgressListener, progress_of
from sparkml_track.engine.publishing.finish import way_on
from sparkml_track.engine.signals import Interrupts
from sparkml_track.engine.storage.shared_folders import Roots

__all__ = ["Watch"]

_log = logging.getLogger(__name__)
#: Seconds between reports of progress.
EVERY = 0.2


class Watch:
    """Ends the loop after a signal or when somebody asks for it, and reports its progress.

    Args:
        sweep: its id.
        origin: where it was started from.
        interrupts: what came.
        roots: whose checkpoints are removed as trials end.
        listener: gets the progress; one that raises gets no more of it.
    """

    def __init__(
        self,
        sweep: str,
        origin: Mapping[str, object],
        interrupts: Interrupts,
        roots: Roots,
        listener: ProgressListener | None,
    ) -> None:
        self._way_on, self._stopped = way_on(sweep, origin), False
        self._interrupts = interrupts
        self._roots = roots
        self._listener = listener
        self._reported = 0.0

    def __call__(self, loop: SweepState) -> None:
        """Looks; called by the loop, on its thread."""
        self._interrupts.look()
        if self._interrupts.caught and not self._stopped:
            self._stopped = True
            _log.warning(
                "%s: %d trials are being ended and what is known is published (once more quits at once); %s",
                self._interrupts.name,
                len(loop.live),
                self._way_on,
            )
            loop.stop(f"interrupted by {self._interrupts.name}")
        now = time.monotonic()
        if now - self._reported >= EVERY:
            self._reported = now
            self._roots.look(loop.results)
            self.report(loop)

    def report(self, loop: SweepState, *, ended: bool = False) -> None:
        """Reports progress now.

        Args:
            loop: whose.
            ended: for the last time.
        """
        if self._listener is None:
            return
        try:
            self._listener(progress_of(loop, ended=ended))
        except Exception as error:  # noqa: BLE001 - it is the caller's, and trials do not depend on it
            _log.warning("progress is not reported any more: %s: %s", type(error).__name__, error)
            self._listener = None
