"""The feature tables and the training set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sparkml_track.carried import CarriedFeatures
from sparkml_track.features import pipeline
from sparkml_track.pipeline.outcome import Facts, plain_ref, ref_of
from sparkml_track.pipeline.project import Project
from sparkml_track.refs import TableRef

__all__ = ["FeaturesBuilt", "build_features"]


@dataclass(frozen=True)
class FeaturesBuilt:
    """The training set and what it was made from.

    Attributes:
        training: the training set.
        features: its columns that are features.
        tables: the feature tables, by name.
        dropped: rows that were left out, by reason.
        carried: by what its columns were looked up; None where the config file does not ask for it.
    """

    step: ClassVar[str] = "features"
    training: TableRef
    features: tuple[str, ...]
    tables: Mapping[str, TableRef]
    dropped: Mapping[str, int] = field(default_factory=dict)
    carried: CarriedFeatures | None = None

    def facts(self) -> Facts:
        """For a person."""
        made: Facts = {"training set": f"{self.training} with {len(self.features)} features"}
        made["made from"] = ", ".join(map(str, self.tables.values()))
        dropped = ", ".join(f"{rows:,} rows {reason}" for reason, rows in self.dropped.items())
        return made | ({"left out": dropped} if dropped else {})

    def to_json(self) -> dict[str, object]:
        """All but what was left out."""
        tables = {name: plain_ref(ref) for name, ref in self.tables.items()}
        kept: dict[str, object] = {
            "training": plain_ref(self.training),
            "features": list(self.features),
            "tables": tables,
        }
        return kept | ({"carried": self.carried.to_json()} if self.carried else {})

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> FeaturesBuilt:
        """The inverse."""
        tables = {name: ref_of(ref) for name, ref in kept["tables"].items()}
        carried = CarriedFeatures.from_json(kept["carried"]) if "carried" in kept else None
        return cls(ref_of(kept["training"]), tuple(kept["features"]), tables, carried=carried)


def build_features(project: Project) -> FeaturesBuilt:
    """Makes feature tables and the training set by the config file's function."""
    section = project.settings.features
    assert section is not None
    builder = project.function(section.build, section.options)
    registers = project.settings.register
    carry = registers is not None and registers.look_ups
    name = f"{project.settings.name}_training"
    built = pipeline.build(project.tables(project.session()), builder, name, carry=carry)
    return FeaturesBuilt(built.ref, tuple(built.features), built.tables, built.dropped, built.carried)
