"""What a pipeline leaves in its tables: notes of who made a version and from what, and how far each flow is.

A flow's place is the count of a transaction of its table, so it is committed with the rows: a generation, which a full
refresh of the table begins, and in it the version of the source that was read last, or the number of the last batch of
a stream.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkml_track.tables import Tables, TableVersion, TransactionId

__all__ = ["Made", "Place", "application", "generation_of", "last_made", "made_by", "notes_of", "place_of"]

_BITS = 40
#: Operations that leave the rows as they were.
_QUIET = frozenset(
    {
        "OPTIMIZE", "SET TBLPROPERTIES", "UPDATE TABLE METADATA", "UPDATE FIELD METADATA", "ADD CONSTRAINT",
        "DROP CONSTRAINT", "VACUUM START", "VACUUM END",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """How far a flow is.

    Attributes:
        generation: counts full refreshes of its table.
        count: the version of its source, or the number of a batch.
    """

    generation: int
    count: int

    def transaction(self, app: str) -> TransactionId:
        """As a table keeps it."""
        return app, (self.generation << _BITS) | self.count


@dataclass(frozen=True, slots=True)
class Made:
    """What the last version of a pipeline was made from.

    Attributes:
        version: of the table.
        code: digest of what made it.
        inputs: versions by name.
        changed_by: the operation of a later version that changed rows, empty if there is none.
    """

    version: int
    code: str
    inputs: Mapping[str, int]
    changed_by: str = ""


def application(pipeline: str, flow: str) -> str:
    """The name under which a flow counts in its table."""
    return f"sparkml_track/pipelines/{pipeline}/{flow}"


def notes_of(pipeline: str, flow: str, update: str, code: str, inputs: Mapping[str, int]) -> dict[str, str]:
    """What is noted with a version."""
    return {"pipeline": pipeline, "flow": flow, "update": update, "code": code, "inputs": json.dumps(inputs)}


def place_of(tables: Tables, table: str, app: str) -> Place | None:
    """How far a flow is, None where it never wrote."""
    count = tables.done(table, app) if tables.exists(table) else None
    return None if count is None else Place(count >> _BITS, count & ((1 << _BITS) - 1))


def generation_of(tables: Tables, table: str, apps: Sequence[str]) -> int:
    """The generation of a table: the latest of its flows; 0 where none wrote."""
    places = [place_of(tables, table, app) for app in apps]
    return max((place.generation for place in places if place), default=0)


def made_by(tables: Tables, table: str, pipeline: str, apps: Sequence[str]) -> bool:
    """Whether a table is this pipeline's own."""
    # Counts outlive notes, which go when the log is cleaned.
    made = last_made(tables.history(table), pipeline)
    return made is not None or any(tables.done(table, app) is not None for app in apps)


def last_made(history: Sequence[TableVersion], pipeline: str) -> Made | None:
    """The last version that a pipeline made, None where the log knows none.

    Args:
        history: of the table, newest first.
        pipeline: its name.
    """
    changed = ""
    for version in history:
        if version.notes.get("pipeline") == pipeline:
            return Made(version.version, version.notes.get("code", ""), _inputs(version.notes), changed)
        if version.operation not in _QUIET:
            changed = f"{version.operation} made version {version.version}"
    return None


def _inputs(notes: Mapping[str, str]) -> dict[str, int]:
    try:
        found = json.loads(notes.get("inputs", "{}"))
        return {str(name): int(version) for name, version in found.items()}
    except (ValueError, AttributeError, TypeError):
        return {}
