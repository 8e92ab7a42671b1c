"""SHA-256 of the files of a model, taken when it is registered and checked before it is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sparkml_track.errors import RegistryError

__all__ = ["check_files", "digest_files"]

# MLflow writes this one beside a downloaded model; nothing reads it.
_FOREIGN = frozenset({"registered_model_meta"})


def digest_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file below ``folder``, by relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _FOREIGN)
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def check_files(folder: Path, expected: Mapping[str, str], model: str) -> None:
    """Refuses a folder whose files are not those that were registered.

    Raises:
        RegistryError: a file is changed, missing or was added; all are named.
    """
    found = digest_files(folder)
    problems = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [f"{name} was added" for name in sorted(found.keys() - expected.keys())]
    problems += [
        f"{name} has SHA-256 {found[name][:12]}..., registered was {digest[:12]}..."
        for name, digest in sorted(expected.items())
        if name in found and found[name] != digest
    ]
    if problems:
        raise RegistryError(
            f"{model} is not what was registered, so it is not loaded: {'; '.join(problems)}. "
            "Restore its files from a backup, or register the model again."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
