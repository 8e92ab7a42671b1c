"""Trees of files that an objective made, of any shape: walked within bounds, and removed whatever they are.

Neither recurses, follows a link, or names a file by a path that grows with the depth: a tree of 1,500 folders in each
other has paths longer than the kernel takes.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

__all__ = ["DEEPEST", "MOST", "plain_files", "remove_tree"]

#: Folders in each other, and files, that are taken of one attempt.
DEEPEST, MOST = 32, 10_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def plain_files(folder: str) -> tuple[list[str], list[str]]:
    """The files below a folder.

    Args:
        folder: not a link.

    Returns:
        Relative paths of all that is not a folder, sorted; and what is left out, each with the reason.
    """
    found: list[str] = []
    left_out: list[str] = []
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        if inside.count("/") >= DEEPEST:
            left_out.append(f"{inside.split('/')[0]!a}... (deeper than {DEEPEST} folders)")
            continue
        try:
            with os.scandir(os.path.join(folder, inside)) as entries:
                for entry in entries:
                    path = inside + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path + "/")
                    else:
                        found.append(path)
        except OSError as error:
            left_out.append(f"{inside[:200]!a} ({error.strerror})")
        if len(found) > MOST:
            left_out.append(f"{len(found) - MOST:,} files and what was not looked at (more than {MOST:,} files)")
            break
    return sorted(found)[:MOST], left_out


def remove_tree(path: str) -> str:
    """Removes a folder with all that is in it, or a file or link.

    Never raises.

    Returns:
        Why something is left; empty if all is gone, or nothing was there.
    """
    try:
        if not stat.S_ISDIR(os.stat(path, follow_symlinks=False).st_mode):
            os.unlink(path)
            return ""
        top = _open(path)
        try:
            while _remove_a_level(top):
                pass
        finally:
            os.close(top)
        os.rmdir(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _remove_a_level(top: int) -> bool:
    """Removes the files of a folder, and its folders once what is in them hangs in it itself; whether any moved up."""
    moved = False
    with os.scandir(top) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in names:
        if not is_folder:
            os.unlink(name, dir_fd=top)
            continue
        inner = _open(name, top)
        try:
            moved = _move_up(inner, top) or moved
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)
    return moved


def _move_up(inner: int, top: int) -> bool:
    """Removes the files of a folder in ``top`` and moves its folders there, under names that nobody has."""
    with os.scandir(inner) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in names:
        if is_folder:
            # A folder is moved only by who may write it.
            with suppress(OSError):
                os.chmod(name, 0o700, dir_fd=inner)
            os.rename(name, f"going-{os.urandom(8).hex()}", src_dir_fd=inner, dst_dir_fd=top)
        else:
            os.unlink(name, dir_fd=inner)
    return any(is_folder for _, is_folder in names)


def _open(name: str, folder: int | None = None) -> int:
    try:
        fd = os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=folder)
        fd = os.open(name, _FOLDER, dir_fd=folder)
    with suppress(OSError):
        os.fchmod(fd, 0o700)
    return fd
