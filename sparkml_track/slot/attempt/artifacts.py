"""What an attempt left in its artifact folder, in pieces that travel ahead of its ``done`` message.

Where the folder is on shared storage, only that something was left is reported: the driver knows where.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from ..host.paths import HostPaths
from ..host.trees import DEEPEST, MOST, plain_files, remove_tree
from ..wire.messages import File

__all__ = ["LIMIT", "drop", "pieces"]

#: Bytes of one attempt's artifacts that are sent at most.
LIMIT = 256 << 20
_PIECE = 1 << 20


def pieces(host: str, attempt: str, shared: str = "", limit: int = LIMIT) -> Iterator[tuple[File, bytes]]:
    """Gives messages with the bytes of each file, then removes the folder.

    What cannot be read, what is not a plain file and what is over the limit is left out and named in a last message.
    Of a folder on shared storage there is one message without bytes, if anything is in it; the folder stays.

    Args:
        host: folder of the host.
        attempt: that left them.
        shared: the folder on shared storage that has one for each attempt; empty where there is none.
        limit: bytes in all.
    """
    folder = HostPaths(host).artifacts(attempt)
    if os.path.islink(folder):
        yield from _linked(folder, attempt, os.path.join(shared, attempt) if shared else "")
        return
    if not os.path.isdir(folder):
        return
    names, left_out = plain_files(folder)
    sent = 0
    for name in names:
        path = os.path.join(folder, name)
        try:
            found = os.stat(path, follow_symlinks=False)
            size = found.st_size
            if not (stat.S_ISREG(found.st_mode) and _is_text(name) and sent + size <= limit):
                left_out.append(f"{name!a} ({size:,} bytes)")
                continue
            sent += size
            yield from _file(path, attempt, name)
        except OSError as error:
            left_out.append(f"{name!a} ({error.strerror})")
    if left_out:
        shown = ", ".join(left_out[:20])
        text = f"artifacts left out: {shown}; allowed are plain files with names in UTF-8, {limit:,} bytes in all, "
        text += f"{MOST:,} files, {DEEPEST} folders deep"
        yield File(attempt, "ARTIFACTS_LEFT_OUT.txt", 0), text.encode()
    remove_tree(folder)


def drop(host: str, attempt: str) -> None:
    """Removes what an attempt left that does not count; ``host`` is the folder of the host."""
    remove_tree(HostPaths(host).artifacts(attempt))


def _linked(link: str, attempt: str, target: str) -> Iterator[tuple[File, bytes]]:
    """What there is where a link lies: it counts only as it was made, since an objective may put another there."""
    there = os.readlink(link)
    os.unlink(link)
    if there != target or os.path.islink(target):
        text = f"artifacts left out: artifact_dir was replaced by a link to {there!a}"
        yield File(attempt, "ARTIFACTS_LEFT_OUT.txt", 0), text.encode()
        return
    with contextlib.suppress(OSError):  # an empty one goes
        os.rmdir(target)
    if os.path.isdir(target):
        yield File(attempt, ".", 0), b""


def _is_text(name: str) -> bool:
    """Whether a file name can be sent; names on disk are bytes of any kind."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _file(path: str, attempt: str, name: str) -> Iterator[tuple[File, bytes]]:
    with open(path, "rb") as file:
        at = 0
        while True:
            piece = file.read(_PIECE)
            if piece or at == 0:
                yield File(attempt, name, at), piece
            if len(piece) < _PIECE:
                return
            at += len(piece)
