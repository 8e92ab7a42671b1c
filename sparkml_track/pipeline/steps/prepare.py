"""The raw tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sparkml_track.features import pipeline
from sparkml_track.pipeline.outcome import Facts, plain_ref, ref_of
from sparkml_track.pipeline.project import Project
from sparkml_track.refs import TableRef

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """The raw tables as they were written.

    Attributes:
        tables: by name.
        path: of the folder they are in.
    """

    step: ClassVar[str] = "prepare"
    tables: Mapping[str, TableRef]
    path: str = ""

    def facts(self) -> Facts:
        """For a person."""
        return {"tables": ", ".join(map(str, self.tables.values())), "path": self.path}

    def to_json(self) -> dict[str, object]:
        """By name."""
        return {name: plain_ref(ref) for name, ref in self.tables.items()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Prepared:
        """The inverse, without the path."""
        return cls({name: ref_of(ref) for name, ref in kept.items()})


def prepare(project: Project) -> Prepared:
    """Writes the raw tables that the config file's function gives."""
    section = project.settings.prepare
    assert section is not None
    source = project.function(section.tables, section.options)
    session = project.session()
    refs = pipeline.prepare(session, project.tables(session), source)
    return Prepared(refs, project.settings.home.tables_root)
