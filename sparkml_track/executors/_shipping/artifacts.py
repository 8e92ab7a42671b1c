"""Artifacts as they come from slots: files under one folder for each attempt, never outside of it.

Where slots write to storage that the driver has too, they only report that they left something.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import PurePosixPath

from typing_extensions import override

from sparkml_track.errors import PreflightError
from sparkml_track.executors._base import Work
from sparkml_track.slot.attempt.artifacts import LIMIT
from sparkml_track.slot.host.paths import HostPaths, Places, make
from sparkml_track.slot.host.trees import DEEPEST, MOST, remove_tree
from sparkml_track.trial import Outcome

__all__ = ["InPlace", "Inbox", "Spool", "inbox_of", "places_of", "with_artifacts"]


class Inbox(ABC):
    """Takes what slots say of artifacts. Threads: one.

    Attributes:
        in_place: see ``Outcome``.
    """

    in_place: bool

    @abstractmethod
    def take(self, attempt: str, path: str, at: int, piece: bytes) -> None:
        """Takes a piece of a file; what is wrong with it is remembered, not raised."""

    @abstractmethod
    def finish(self, attempt: str) -> tuple[str, str]:
        """The folder of an attempt that ended, empty if it left nothing, and what went wrong, empty if nothing did."""

    @abstractmethod
    def forget(self, attempt: str) -> None:
        """Removes what a lost attempt had left."""


def inbox_of(work: Work, folder: str) -> Inbox:
    """The one that fits; ``folder`` is the host's, for what does not outlive the executor."""
    if work.artifacts is not None:
        return InPlace(work.artifacts)
    return Spool(work.spool or HostPaths(folder).received)


def places_of(work: Work, folder: str) -> Places:
    """Where attempts leave files; ``folder`` is the host's. Makes what is to be on shared storage.

    Raises:
        PreflightError: the driver cannot write there.
    """
    for path in filter(None, (work.checkpoints, work.artifacts)):
        try:
            make(path)
        except OSError as error:
            raise PreflightError(
                f"the driver cannot write the folder {path} ({error.strerror or error}): make its root writable for "
                "this user, or choose another under checkpoint_root or artifact_root"
            ) from None
    return Places(folder, work.checkpoints, work.artifacts)


def with_artifacts(inbox: Inbox, attempt: str, outcome: Outcome) -> Outcome:
    """The outcome of an attempt together with what it left."""
    folder, error = inbox.finish(attempt)
    if not (folder or error):
        return outcome
    log = f"{outcome.log}\n{error}".strip() if error else outcome.log
    return replace(outcome, artifacts=folder, in_place=bool(folder) and inbox.in_place, log=log)


class InPlace(Inbox):
    """Slots write to shared storage. Paths are made here, of attempts' ids: what a slot says of them does not count.

    Args:
        folder: has a folder for each attempt that left something.
    """

    in_place = True

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._left: set[str] = set()
        self._errors: dict[str, str] = {}

    def take(self, attempt: str, path: str, at: int, piece: bytes) -> None:  # noqa: ARG002
        """See ``Inbox``; the message alone says it, and what is there is looked at here."""
        if os.path.isdir(folder := os.path.join(self._folder, attempt)) and not os.path.islink(folder):
            self._left.add(attempt)
        else:
            self._errors[attempt] = piece.decode("utf-8", "replace")[:500]

    @override
    def finish(self, attempt: str) -> tuple[str, str]:
        error = self._errors.pop(attempt, "")
        if attempt not in self._left:
            return "", error
        self._left.remove(attempt)
        return os.path.join(self._folder, attempt), error

    def forget(self, attempt: str) -> None:
        """See ``Inbox``; a link in its place is left alone."""
        self._left.discard(attempt)
        self._errors.pop(attempt, None)
        folder = os.path.join(self._folder, attempt)
        if not os.path.islink(folder):
            remove_tree(folder)


class Spool(Inbox):
    """Writes what slots send.

    Args:
        folder: takes a folder for each attempt; made when the first file comes.
    """

    in_place = False

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}
        self._files: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    @override
    def take(self, attempt: str, path: str, at: int, piece: bytes) -> None:
        size = self._sizes.get(attempt, 0) + len(piece)
        parts = PurePosixPath(path).parts
        outside = not parts or path.startswith("/") or {"..", "."} & set(parts)
        files = self._files.get(attempt, 0) + (not at)
        if outside or size > LIMIT + (1 << 20) or len(parts) > DEEPEST + 1 or files > MOST + 1:
            self._errors[attempt] = f"artifact {path[:200]!r} refused"
            return
        self._files[attempt] = files
        self._sizes[attempt] = size
        target = os.path.join(self._folder, attempt, *parts)
        try:
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            with open(target, "ab" if at else "wb") as file:
                file.write(piece)
        except (OSError, ValueError) as error:  # a name with a NUL byte or half a character is a ValueError
            self._errors[attempt] = f"artifact {path[:200]!r} could not be kept: {error}"

    @override
    def finish(self, attempt: str) -> tuple[str, str]:
        error = self._errors.pop(attempt, "")
        self._files.pop(attempt, None)
        if self._sizes.pop(attempt, None) is None:
            return "", error
        return os.path.join(self._folder, attempt), error

    @override
    def forget(self, attempt: str) -> None:
        self._files.pop(attempt, None)
        if self._sizes.pop(attempt, None) is not None:
            remove_tree(os.path.join(self._folder, attempt))
