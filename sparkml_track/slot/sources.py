"""Which files the imported modules came from that a user may change: those outside of the installed libraries."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping

__all__ = ["Version", "sources_of_modules", "versions_of"]

#: Time of the last change and size of a file; None for one that is not there.
Version = tuple[int, int] | None


def sources_of_modules() -> Mapping[str, Version]:
    """The files by path, each as it is now."""
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    installed = tuple(os.path.join(sysconfig.get_path(kind), "") for kind in kinds)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return versions_of(file for file in files if isinstance(file, str) and not file.startswith(installed))


def versions_of(files: Iterable[str]) -> Mapping[str, Version]:
    """The same for these files."""
    return {file: _version(file) for file in files}


def _version(file: str) -> Version:
    """Of a file, or of the archive that it is in."""
    while file:
        try:
            found = os.stat(file)
        except NotADirectoryError:
            file = os.path.dirname(file)
        except OSError:
            return None
        else:
            return found.st_mtime_ns, found.st_size
    return None
