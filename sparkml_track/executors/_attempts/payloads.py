"""What attempts give back, put together of its parts; what they are given, where that is too large for a message."""

from __future__ import annotations

import contextlib
import os

from sparkml_track.executors._attempts.messages import run_message
from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.slot.host.paths import HostPaths
from sparkml_track.slot.wire.frames import PART, PAYLOAD_LIMIT
from sparkml_track.slot.wire.messages import Done, Part, Run
from sparkml_track.trial import Attempt

__all__ = ["Inputs", "Payloads"]


class Payloads:
    """What attempts give back. Nothing here looks into it.

    Args:
        limit: bytes of one attempt's; slots hold to it, and are not believed.
    """

    def __init__(self, limit: int = PAYLOAD_LIMIT) -> None:
        self._limit = limit
        self._parts: dict[str, bytearray] = {}

    def take(self, part: Part, blob: bytes) -> None:
        """Takes a part.

        Raises:
            BadMessage: it does not follow the last one, or they are too many bytes.
        """
        kept = self._parts.setdefault(part.attempt, bytearray())
        if part.at == 0:  # it began anew
            kept.clear()
        if part.at != len(kept) or part.at + len(blob) > self._limit:
            raise BadMessage(
                f"a part of a payload has {len(blob)} bytes at {part.at}; allowed are those that follow the last "
                f"one, {self._limit} in all"
            )
        kept += blob

    def whole(self, done: Done, blob: bytes) -> bytes:
        """All that the attempt gave back; nothing where its process could not end it.

        Raises:
            BadMessage: it is not as much as the end says.
        """
        kept = self._parts.pop(done.attempt, bytearray())
        if done.payload == len(blob) <= self._limit:
            return blob
        if done.payload != len(kept) + len(blob) or done.payload > self._limit:
            raise BadMessage(f"a payload of {done.payload} bytes came as {len(kept) + len(blob)}; allowed is all of it")
        return bytes(kept + blob)

    def forget(self, attempt: str) -> None:
        """The attempt was lost."""
        self._parts.pop(attempt, None)


class Inputs:
    """What attempts are given; a large one lies in the folder of this host, from where slots get it when they begin.

    Args:
        folder: of this host.
    """

    def __init__(self, folder: str) -> None:
        self._paths = HostPaths(folder)
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Whether there is a blob of this name."""
        return name in self._names

    def message(self, attempt: Attempt) -> tuple[Run, bytes]:
        """What a worker is sent: a message and what is behind it."""
        run = run_message(attempt)._replace(blobs=self.place(attempt))
        if len(attempt.payload) <= PART:
            return run, attempt.payload
        name = self._paths.payload(attempt.id)
        with open(self._paths.blob(name), "wb") as file:
            file.write(attempt.payload)
        self._names.add(name)
        return run._replace(payload=name), b""

    def place(self, attempt: Attempt) -> list[str]:
        """Puts the files of an attempt where the blobs lie; returns their names."""
        for name, path in attempt.files.items():
            blob = self._paths.file(name)
            if blob not in self._names:
                os.symlink(path, self._paths.blob(blob))
                self._names.add(blob)
        return list(map(self._paths.file, attempt.files))

    def ended(self, attempt: str) -> None:
        """It is needed no more."""
        if self._names and (name := self._paths.payload(attempt)) in self._names:
            self._names.discard(name)
            with contextlib.suppress(OSError):  # a worker of this host has removed it
                os.unlink(self._paths.blob(name))
