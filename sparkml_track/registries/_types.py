"""Which classes and functions a stored model may name, and where the project's own ones have their code.

A file in the skops format runs nothing by itself, but it names what is put together when it is read, and functions
that are called later. Its own list of what to trust is written by whoever wrote the file, so it is not asked.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType

__all__ = ["code_of", "is_users", "why_not"]

#: Installed packages whose classes models are made of; of others only estimators are.
_MODELS = frozenset({"catboost", "imblearn", "lightgbm", "numpy", "scipy", "sklearn", "xgboost"})
_OWN = "sparkml_track"
#: Harmless by themselves: what is put into them is looked at as well.
_PLAIN = frozenset({"collections.OrderedDict", "collections.defaultdict", "functools.partial"})
_FUNCTIONS = frozenset(f"numpy.{name}" for name in ("abs", "array", "asarray", "clip", "nan_to_num", "round", "where"))


def why_not(name: str) -> str:
    """Why a class or function, "module.name", may not be in a model that is read here; empty if it may.

    Classes and functions of the project itself may be, where they can be imported by name; so may those of libraries
    that models are made of. What the standard library and other packages can do may not.
    """
    module, _, attribute = name.rpartition(".")
    if module == "__main__" or "<" in name:
        return f"{name} is defined in a script or inside a function, so no other process finds it; move it to a module"
    if name in _PLAIN | _FUNCTIONS:
        return ""
    if module.partition(".")[0] in sys.stdlib_module_names:
        return f"{name} is not part of a model"
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        return f"{name} cannot be imported here ({error})"
    if is_users(sys.modules[module]) or (isinstance(found, type) and _is_model(found, module)):
        return ""
    return f"{name} is not a class that models are made of; wrap it in a function of a module of your own"


def _is_model(found: type, module: str) -> bool:
    from sklearn.base import BaseEstimator

    return module.partition(".")[0] in _MODELS or issubclass(found, BaseEstimator)


def is_users(module: ModuleType) -> bool:
    """Whether a module is the project's own: neither of the standard library nor installed."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or str(Path(file).resolve()).startswith(_installed(tuple(sys.path))):
        return False
    return not _delivered(Path(file).resolve(), module.__name__.partition(".")[0])


@lru_cache(maxsize=1)
def _installed(path: tuple[str, ...]) -> tuple[str, ...]:
    folders = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [entry for entry in path if entry.endswith(("site-packages", "dist-packages"))]
    return tuple({f"{Path(folder).resolve()}{os.sep}" for folder in folders})


@lru_cache(maxsize=1000)
def _delivered(file: Path, top: str) -> bool:
    """Whether an installer put a package into another folder than the usual ones (``pip install --target``).

    Only an installer writes a RECORD beside it; a project that lies on the path has other metadata there, if any.
    """
    root = next((folder.parent for folder in file.parents if folder.name == top), file.parent)
    for record in root.glob("*.dist-info/RECORD"):
        with suppress(OSError), record.open(encoding="utf-8", errors="replace") as lines:
            if any(line.startswith((f"{top}/", f"{top}.py,")) for line in lines):
                return True
    return False


def code_of(names: Iterable[str]) -> list[str]:
    """The files and package folders that the project's own classes and functions among ``names`` are imported from.

    What these import of the project comes along; this package does not, however it is installed.
    """
    found: dict[str, str] = {}
    todo = [name.partition(".")[0] for name in names]
    while todo:
        top = todo.pop()
        module = sys.modules.get(top)
        if top in found or top == _OWN or module is None or not is_users(module):
            continue
        file = Path(str(module.__file__))
        found[top] = str(file.parent if file.name == "__init__.py" else file)
        todo += _imports(Path(found[top]))
    return sorted(found.values())


def _imports(path: Path) -> Iterator[str]:
    """The packages that the files of a module import."""
    for file in path.rglob("*.py") if path.is_dir() else [path]:
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):  # a template, or of a later Python
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
