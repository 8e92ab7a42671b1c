"""References to things that live elsewhere, always with the version: tables, data given to a sweep, models."""

from __future__ import annotations

from dataclasses import dataclass

from sparkml_track.cards import card, lineage_command

__all__ = ["DataRef", "ModelRef", "TableRef"]


@dataclass(frozen=True, slots=True)
class TableRef:
    """One version of a Delta table.

    Attributes:
        name: its identifier under the tables root.
        path: where its files lie.
        version: the Delta version.
    """

    name: str
    path: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@v{self.version}"

    def _repr_html_(self) -> str:
        """For notebooks."""
        return card(str(self), {"files": self.path}, command=lineage_command(self.name, self.version))


@dataclass(frozen=True, slots=True)
class DataRef:
    """One entry of ``data=`` of a sweep, as recorded on the parent run.

    Attributes:
        name: the key the objective reads it by.
        digest: of the content, or of the table version it came from.
        rows: how many, None where that is not known.
        table: the table it came from, if any.
    """

    name: str
    digest: str
    rows: int | None = None
    table: TableRef | None = None


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One version of a registered model.

    Attributes:
        name: the registered name.
        version: counts from 1.
        run_id: the run that logged it.
        uri: where it is loaded from.
    """

    name: str
    version: int
    run_id: str
    uri: str

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"
