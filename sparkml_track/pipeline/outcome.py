"""What a step gives: values for the next step, and facts for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from sparkml_track.refs import TableRef

__all__ = ["Facts", "Outcome", "plain_ref", "ref_of"]

#: What a person reads: plain values, or mappings of names to figures.
Facts = dict[str, object]


class Outcome(Protocol):
    """A frozen value with what a step gave. It is kept as JSON under the home, where later steps read it."""

    step: ClassVar[str]

    def facts(self) -> Facts:
        """For a person."""

    def to_json(self) -> dict[str, object]:
        """What later steps need; plain values."""

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """The inverse; what only a person reads may be missing."""


def plain_ref(ref: TableRef) -> dict[str, object]:
    """A table reference as JSON has it."""
    return {"name": ref.name, "path": ref.path, "version": ref.version}


def ref_of(plain: Mapping[str, Any]) -> TableRef:
    """The inverse of ``plain_ref``."""
    return TableRef(plain["name"], plain["path"], plain["version"])
