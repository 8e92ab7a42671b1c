"""User modules: which they are, what their text is and what they import. Nothing is imported to find out."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import resolve_name
from pathlib import Path

__all__ = ["UserModule", "find", "from_import", "user_module", "users_package"]

#: Found elsewhere than among installed packages where spark-submit or an editable install puts them.
_OURS = frozenset({"sparkml_track", "pyspark", "py4j"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STANDARD = tuple({os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")})


@dataclass(frozen=True, slots=True)
class UserModule:
    """A module that is neither of the standard library nor of an installed package.

    Attributes:
        name: dotted.
        file: where its text is.
        digest: of its text, comments and all.
        imports: the names of modules that it may import, also those inside of functions.
    """

    name: str
    file: str
    digest: str
    imports: Sequence[str]


def find(name: str) -> ModuleSpec | None:
    """Where a module is, as an import would find it; None if it would not. Neither it nor its packages are executed."""
    module = sys.modules.get(name)
    if module is not None:
        return getattr(module, "__spec__", None)
    package = name.rpartition(".")[0]
    above = find(package) if package else None
    if package and (above is None or above.submodule_search_locations is None):
        return None
    for finder in sys.meta_path:
        with suppress(Exception):  # finders may be anybody's
            path = None if above is None else list(above.submodule_search_locations or ())
            found = finder.find_spec(name, path)
            if found is not None:
                return found
    return None


def user_module(name: str) -> UserModule | None:
    """The module, None if it is not a user's or has no text (a package without ``__init__.py``)."""
    spec = find(name)
    if spec is None or spec.origin is None or not spec.has_location or not _users(name, spec.origin):
        return None
    text = _text(spec)
    if text is None:
        return None
    digest = hashlib.sha256(text).hexdigest()[:16]
    return UserModule(name, spec.origin, digest, tuple(dict.fromkeys(_imports(text, spec.parent or ""))))


def users_package(name: str) -> bool:
    """Whether this is a package that may hold user modules, with a text of its own or without."""
    spec = find(name)
    if spec is None or spec.submodule_search_locations is None:
        return False
    with suppress(Exception):  # the folders of a package that is not imported are computed when they are looked at
        return all(_users(name, place) for place in spec.submodule_search_locations)
    return False


def from_import(module: str | None, level: int, names: Sequence[str], package: str) -> Iterator[str]:
    """The modules that ``from module import names`` may import; a name may be a module or something in one.

    Args:
        module: as written, without dots in front; None for none.
        level: how many dots there are in front.
        names: after ``import``.
        package: that the statement is in.
    """
    with suppress(ImportError, ValueError):  # more dots than packages
        base = resolve_name("." * level + (module or ""), package or None) if level else str(module)
        yield base
        yield from (f"{base}.{name}" for name in names if name != "*")


def _users(name: str, origin: str) -> bool:
    if name.partition(".")[0] in _OURS or not _INSTALLED.isdisjoint(Path(origin).parts):
        return False
    real = os.path.realpath(origin)
    return not any(real.startswith(place + os.sep) for place in _STANDARD)


def _text(spec: ModuleSpec) -> bytes | None:
    with suppress(OSError):
        return Path(str(spec.origin)).read_bytes()
    with suppress(Exception):  # in a zip of --py-files; loaders may be anybody's
        source = spec.loader.get_source(spec.name)  # type: ignore[union-attr]
        return None if source is None else str(source).encode()
    return None


def _imports(text: bytes, package: str) -> Iterator[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # compiled
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from from_import(node.module, node.level, [alias.name for alias in node.names], package)
