"""Files of partitions, linked under names that say of which partition they are.

Engines leave files out by the names of folders, before they open one. Names of folders cannot say every value (of text,
or in the locale of a JVM), so they say a number, and a list of literals in the query has the values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from sparkml_track.errors import InvalidInput
from sparkml_track.sql._base import View

__all__ = ["Linked", "linked"]

_PART = "sparkml_part"


@dataclass(frozen=True, slots=True)
class Linked:
    """Where the files of a version are found.

    Attributes:
        files: absolute paths, ``<folder>/<part>=<number>/<number>.parquet`` where there are partitions.
        values: column to its value as text, by the number of the partition; empty without partitions.
        part: the column that has the number, which is none of the view's.
    """

    files: tuple[Path, ...]
    values: dict[str, tuple[str | None, ...]]
    part: str = _PART

    def literals(self, column: str, literal: Callable[[str], str]) -> str:
        """The values of a column, by the number of the partition, joined by commas."""
        return ", ".join("NULL" if value is None else literal(value) for value in self.values[column])


def linked(view: View, folder: Path) -> Linked:
    """Links the files of a view into a folder, which is made.

    Args:
        view: over files.
        folder: is not there yet, or is empty.

    Raises:
        InvalidInput: a partition column of a type that cannot be said.
    """
    known: dict[tuple[object, ...], int] = {}
    name = _PART + "_" * max((len(column) for column in view.columns if column.lower().startswith(_PART)), default=0)
    files = list[Path]()
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(view.files):
        inside = folder
        if view.partition_by:
            part = known.setdefault(view.partitions[number], len(known))
            inside = folder / f"{name}={part}"
            inside.mkdir(exist_ok=True)
        files.append(inside / f"{number:06d}.parquet")
        files[-1].symlink_to(path)
    columns = enumerate(view.partition_by)
    return Linked(tuple(files), {c: tuple(_text(view, c, values[n]) for values in known) for n, c in columns}, name)


def _text(view: View, column: str, value: object) -> str | None:
    """A value as both engines cast it from text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str | int | float | Decimal):
        return str(value)
    raise InvalidInput(
        f"table {view.name} is partitioned by {column}, which is {view.columns[column]}: such values cannot be asked "
        "by SQL; read it from Python"
    )
