"""What names and values the tracking store takes, and how they are written when they are not checked before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sparkml_track.adapters.mlflow.names import MAX_KEY, is_stored_as_it_is, stored_name
from sparkml_track.adapters.mlflow.values import MAX_PARAM, MAX_TAG, clipped
from sparkml_track.schema import TAG_NAME

__all__ = ["MAX_KEY", "MAX_PARAM", "MAX_TAG", "clipped", "key", "problems", "renamed"]


def problems(params: Mapping[str, object]) -> list[str]:
    """Says what the tracking store would refuse or cut, so that a sweep can be refused before it starts.

    Args:
        params: flattened with dots.

    Returns:
        One sentence for each problem; empty if all can be stored as they are.
    """
    return [text for name, value in params.items() for text in _problems_of(name, str(value))]


def _problems_of(name: str, value: str) -> list[str]:
    found = []
    if len(name) > MAX_KEY:
        found.append(
            f"The parameter name {name[:40]!r}... has {len(name)} characters; MLflow stores at most {MAX_KEY}. "
            "Use a shorter name."
        )
    elif not is_stored_as_it_is(name):
        found.append(
            f"The parameter name {name!r} cannot be stored by MLflow; names are made of letters, digits and "
            "_ - . : / or spaces, and read as a plain path. Rename it."
        )
    if len(value) > MAX_PARAM:
        found.append(
            f"The value of parameter {name[:40]!r} has {len(value)} characters as text; MLflow stores at most "
            f"{MAX_PARAM}. Use a short name for it and look the long value up in the objective."
        )
    return found


def key(name: str) -> str:
    """The name as the store takes it; two names never share one."""
    return stored_name(name)


def renamed(names: Iterable[str]) -> dict[str, str]:
    """Tags that record the names that the store does not take."""
    return {key(f"{TAG_NAME}{key(name)}"): clipped(name, MAX_TAG) for name in dict.fromkeys(names) if key(name) != name}
