"""Artifacts as they come from slots: files under one folder for each attempt, never outside of it."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace
from pathlib import PurePosixPath

from sparkml_track.slot.artifacts import LIMIT
from sparkml_track.trial import Outcome

__all__ = ["Spool", "with_artifacts"]


def with_artifacts(spool: Spool, attempt: str, outcome: Outcome) -> Outcome:
    """The outcome of an attempt together with what it left."""
    folder, error = spool.finish(attempt)
    return replace(outcome, artifacts=folder, log=f"{outcome.log}\n{error}".strip() if error else outcome.log)


class Spool:
    """Writes what slots send.

    Args:
        folder: takes a folder for each attempt; made when the first file comes.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    def take(self, attempt: str, path: str, at: int, piece: bytes) -> None:
        """Writes a piece of a file; what is out of bounds or cannot be written is remembered, not raised."""
        size = self._sizes.get(attempt, 0) + len(piece)
        parts = PurePosixPath(path).parts
        if size > LIMIT + (1 << 20) or not parts or path.startswith("/") or {"..", "."} & set(parts):
            self._errors[attempt] = f"artifact {path[:200]!r} refused"
            return
        self._sizes[attempt] = size
        target = os.path.join(self._folder, attempt, *parts)
        try:
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            with open(target, "ab" if at else "wb") as file:
                file.write(piece)
        except OSError as error:
            self._errors[attempt] = f"artifact {path!r} could not be kept: {error}"

    def finish(self, attempt: str) -> tuple[str, str]:
        """The folder of an attempt that ended, empty if it left nothing, and what went wrong, empty if nothing did."""
        error = self._errors.pop(attempt, "")
        if self._sizes.pop(attempt, None) is None:
            return "", error
        return os.path.join(self._folder, attempt), error

    def forget(self, attempt: str) -> None:
        """Removes what a lost attempt had sent."""
        if self._sizes.pop(attempt, None) is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(os.path.join(self._folder, attempt))
