"""What a file of a run holds; a long part of it may lie in another file, and is then never held in memory."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["Content", "read_content", "write_content"]

#: Text, or pieces in UTF-8; a path stands for what that file holds.
Content = str | tuple[bytes | Path, ...]


def write_content(path: Path, content: Content) -> None:
    """Writes a file.

    Raises:
        OSError: it cannot be written, or a piece not be read.
    """
    with path.open("wb") as file:
        for piece in _pieces(content):
            if isinstance(piece, bytes):
                file.write(piece)
            else:
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, file)


def read_content(content: Content) -> str:
    """The same as text."""
    return b"".join(one if isinstance(one, bytes) else one.read_bytes() for one in _pieces(content)).decode()


def _pieces(content: Content) -> tuple[bytes | Path, ...]:
    return (content.encode("utf-8", "replace"),) if isinstance(content, str) else content
