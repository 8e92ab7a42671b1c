"""A line now and then: in a log where there is no terminal, or as JSON for programs."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from sparkml_track.api.progress.words import plain, sentence

if TYPE_CHECKING:
    from sparkml_track.engine.loop.progress import Progress

__all__ = ["JsonLines", "LogLines"]

_log = logging.getLogger(__name__)
#: Seconds between lines of a log, and of JSON.
LOG_EVERY, JSON_EVERY = 60.0, 1.0
Clock = Callable[[], float]


class LogLines:
    """Logs a line at most once a minute, for job logs of clusters.

    Args:
        name: of the sweep.
        clock: seconds that nobody sets.
    """

    def __init__(self, name: str, clock: Clock = time.monotonic) -> None:
        self._name, self._clock = name, clock
        self._last = clock()

    def __call__(self, progress: Progress) -> None:
        """Logs, if it is time; how the sweep ended is logged by who knows what it found."""
        now = self._clock()
        if now - self._last >= LOG_EVERY and not progress.ended:
            self._last = now
            of = f"/{progress.planned}" if progress.planned else ""
            _log.info("%s: %d%s done, %s", self._name, progress.done, of, sentence(progress))

    def start(self) -> None:
        """Nothing: a log has a line a minute."""

    def asked(self) -> bool:
        """Nobody can."""
        return False

    def stop(self) -> None:
        """Nothing."""

    def ended(self, lines: Sequence[str]) -> None:
        """Logs what it found."""
        for line in lines:
            _log.info("%s", line)


class JsonLines:
    """Writes a JSON object on a line of its own, at most once a second and at the end.

    Args:
        stream: that takes them; one that nobody reads any more gets none.
        clock: seconds that nobody sets.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._last = -JSON_EVERY

    def __call__(self, progress: Progress) -> None:
        """Writes, if it is time."""
        now = self._clock()
        if progress.ended or now - self._last >= JSON_EVERY:
            self._last = now
            self.write("progress", plain(progress))

    def write(self, event: str, fields: dict[str, object]) -> None:
        """Writes one line.

        Args:
            event: what it is about, its first field.
            fields: the others; what JSON does not know is written as text, and a number that it lacks as null.
        """
        text = json.dumps({"event": event, **_known(fields)}, default=str, allow_nan=False)
        with suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()


def _known(what: Any) -> Any:
    """The same without nan and infinities, which JSON lacks; names are text."""
    if isinstance(what, Mapping):
        return {str(name): _known(each) for name, each in what.items()}
    if isinstance(what, list | tuple):
        return [_known(each) for each in what]
    return None if isinstance(what, float) and not math.isfinite(what) else what
