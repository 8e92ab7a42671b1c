"""Code for slots that cannot read the driver's files: folders as zips, other modules of the user by value."""

from __future__ import annotations

import io
import os
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import cloudpickle

__all__ = ["by_value", "modules_by_value", "taken_apart", "zip_folder"]

_OWN = "sparkml_track"
#: Comes with Spark wherever its workers run, also from a zip beside it.
_SPARK = ("pyspark", "py4j")
#: The zip format's own first day: the same files make the same bytes.
_DAY = (1980, 1, 1, 0, 0, 0)


@contextmanager
def by_value(shipped: Sequence[str] | None) -> Iterator[None]:
    """While it lasts, cloudpickle takes apart what slots could not import; see ``modules_by_value``.

    Args:
        shipped: folders that slots get; None where they read the driver's files, and everything stays by name.
    """
    with taken_apart([] if shipped is None else modules_by_value(shipped)):
        yield


def modules_by_value(shipped: Sequence[str]) -> list[ModuleType]:
    """The modules that slots could not import.

    That is all but the standard library, installed packages and what lies in ``shipped`` folders. This package counts
    as not installed: slots need nothing of ours.
    """
    there = _prefixes(shipped)
    modules = [module for module in list(sys.modules.values()) if _stays(module, there)]
    # Once each: multiprocessing has __main__ under a second name.
    return list({module.__name__: module for module in modules}.values())


@contextmanager
def taken_apart(modules: Sequence[ModuleType]) -> Iterator[None]:
    """While it lasts, cloudpickle takes apart what is defined in these modules."""
    known = cloudpickle.list_registry_pickle_by_value()
    added = [module for module in modules if module.__name__ not in known]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


def _stays(module: ModuleType, there: tuple[str, ...]) -> bool:
    """Whether a module is only on the driver: its file is not under the folders that slots have."""
    name = getattr(module, "__name__", "")
    file = getattr(module, "__file__", None)
    top = name.partition(".")[0]
    if not isinstance(file, str) or sys.modules.get(name) is not module or top in _SPARK:
        return False
    return top == _OWN or not os.path.abspath(file).startswith(there)


def _prefixes(shipped: Sequence[str]) -> tuple[str, ...]:
    """Of all that slots have: installed packages, the standard library, shipped folders; also without symlinks."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [*(sysconfig.get_path(name) for name in names), *shipped]
    folders += [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return tuple({form(folder) + os.sep for folder in folders for form in (os.path.abspath, os.path.realpath)})


def zip_folder(folder: str | Path, package: str = "") -> bytes:
    """The Python files of a folder as a zip for sys.path; the same files give the same bytes.

    Args:
        folder: of modules.
        package: what they become a package of.
    """
    folder, inside = Path(folder), Path(package)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            if "__pycache__" not in path.parts:
                info = zipfile.ZipInfo(str(inside / path.relative_to(folder)), _DAY)
                archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
