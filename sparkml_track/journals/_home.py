"""Whether a folder can be a home, found out by using it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sparkml_track.home import Home

__all__ = ["problem_with_folder"]


def problem_with_folder(home: Path) -> str | None:
    """Why a sweep cannot keep its journal under ``home``; None if it can.

    Makes the folder, and writes, syncs and removes a small file there: permissions alone hide some (root, read-only
    mounts, quotas, a full disk).

    Returns:
        One sentence with the way out.
    """
    probe = Home(home).journal / f".probe-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        _write(probe)
    except OSError as error:
        return (
            f"the home {home} cannot be used: {error.strerror or error} ({error.filename or probe.parent}); "
            "give access or make room there, or set SPARKML_HOME to a folder that can be written"
        )
    return None


def _write(probe: Path) -> None:
    fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, bytes(4096))
        os.fsync(fd)
    finally:
        os.close(fd)
        probe.unlink()
