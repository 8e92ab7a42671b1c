"""Where errors of the operating system become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkml_track.errors import JournalError

__all__ = ["translated"]


@contextmanager
def translated(what: str, path: Path) -> Iterator[None]:
    """Translates every OSError inside.

    Args:
        what: what was tried, as in "cannot <what> <path>".
        path: the file or folder.

    Raises:
        JournalError: with the way out.
    """
    try:
        yield
    except OSError as error:
        raise JournalError(
            f"cannot {what} {path}: {error.strerror or error}. Results acknowledged before are kept. "
            "Make room or give access there and run the same command again to go on; "
            "SPARKML_HOME names another folder for new sweeps"
        ) from error
