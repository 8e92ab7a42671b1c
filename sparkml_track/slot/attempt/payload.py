"""Opaque bytes that an attempt is given and gives back; nobody between it and a front door reads them."""

from __future__ import annotations

from collections.abc import Iterator

from ..wire.frames import PART, PAYLOAD_LIMIT
from .returned import BadResult, show

__all__ = ["Payload", "in_parts"]


class Payload:
    """Those of the attempt that a process or a thread is at work on.

    Args:
        limit: bytes that it may give back; the setting is ``payload_limit``.
    """

    def __init__(self, limit: int = PAYLOAD_LIMIT) -> None:
        self._limit = limit
        self._given, self._path = b"", ""
        self.back = b""

    def begin(self, given: bytes, path: str = "") -> None:
        """Another attempt begins, with these bytes, or with those of a file."""
        self._given, self._path, self.back = given, path, b""

    def read(self) -> bytes:
        """What the attempt was given."""
        if self._path:
            with open(self._path, "rb") as file:
                return file.read()
        return self._given

    def give(self, data: object) -> None:
        """Keeps what goes back when the attempt ends by itself; the last counts.

        Raises:
            BadResult: it is too large, or is not bytes.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise BadResult(f"gave {show(data)} as its payload; allowed are bytes")
        size = memoryview(data).nbytes
        if size > self._limit:
            raise BadResult(
                f"gave a payload of {size:,} bytes; allowed are {self._limit:,}: give less, leave it in a file that "
                "the driver can read, or raise payload_limit"
            )
        self.back = bytes(data)


def in_parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Offsets and bytes; one part at least."""
    for at in range(0, max(1, len(data)), PART):
        yield at, data[at : at + PART]
