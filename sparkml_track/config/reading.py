"""A file that is one section: read, checked, and what is wrong said with its line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from sparkml_track.config.messages import complaints
from sparkml_track.config.sections.fields import Section
from sparkml_track.config.yaml import read
from sparkml_track.errors import ConfigError

__all__ = ["read_section"]

_Kind = TypeVar("_Kind", bound=Section)


def read_section(file: Path, kind: type[_Kind], empty: object = None) -> _Kind:
    """Reads a file.

    Args:
        file: in YAML 1.2.
        kind: what it says.
        empty: what a file without anything but comments says.

    Raises:
        ConfigError: it is wrong; one sentence for each problem, with file, line and key.
    """
    try:
        document = read(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    problems = list(document.problems)
    if not problems:
        try:
            return kind.model_validate_json(to_json(empty if document.value is None else document.value))
        except ValidationError as error:
            problems = [(document.line(path), said) for path, said in complaints(error, kind, document)]
    raise ConfigError(*(f"{file}:{line}: {sentence}" for line, sentence in sorted(problems)))
