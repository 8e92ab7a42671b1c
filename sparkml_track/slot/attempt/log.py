"""The kept head and tail of an attempt's stdout and stderr."""

from __future__ import annotations

__all__ = ["HEAD", "TAIL", "HeadTail"]

HEAD = 16 << 10
TAIL = 48 << 10


class HeadTail:
    """Keeps the first ``HEAD`` and the last ``TAIL`` bytes of what is added, and counts the rest."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        """Adds output."""
        self._total += len(data)
        room = HEAD - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * TAIL:
            del self._tail[:-TAIL]

    def text(self) -> str:
        """What was kept, with a line that counts what was cut."""
        tail = self._tail[-TAIL:]
        cut = self._total - len(self._head) - len(tail)
        middle = f"\n[... {cut:,} bytes cut ...]\n".encode() if cut > 0 else b""
        return bytes(self._head + middle + tail).decode("utf-8", "replace")

    def clear(self) -> None:
        """Starts anew, for the next attempt."""
        if self._total:
            self.__init__()  # type: ignore[misc]
