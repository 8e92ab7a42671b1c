"""Rows on their way into a table: with their rules, in one commit that also says how far the flow is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkml_track.governance.sources.columns import Columns, columns_written
from sparkml_track.governance.sources.watch import Watch
from sparkml_track.pipelines.declared.values import Target
from sparkml_track.pipelines.planning.marks import Place, application, generation_of, notes_of, place_of
from sparkml_track.pipelines.updating.rules import Counted, checked, refuse_failed
from sparkml_track.refs import TableRef
from sparkml_track.tables import Mode, Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Writer", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """A version that a flow made.

    Attributes:
        made: the versions, of the table and of that of the rows that are kept apart.
        rows: how many were written.
        counted: for each rule.
        columns: from which columns those of a version were made, where that is known.
    """

    made: tuple[TableRef, ...]
    rows: int
    counted: tuple[Counted, ...]
    columns: Mapping[TableRef, Columns] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the rows of one flow.

    Attributes:
        tables: of the home.
        target: what is written.
        pipeline: the name of the pipeline.
        flow: the name of the flow.
        flows: the names of all flows into the target.
        update: id of the update.
        code: digest of what the flow executes.
    """

    tables: Tables
    target: Target
    pipeline: str
    flow: str
    flows: Sequence[str]
    update: str
    code: str

    @property
    def app(self) -> str:
        """Under which this flow counts."""
        return application(self.pipeline, self.flow)

    def whole(self, rows: DataFrame, refs: Iterable[TableRef]) -> Written:
        """Writes all of a materialized view."""
        return self._write(rows, refs, None)

    def append(self, rows: DataFrame, refs: Iterable[TableRef], place: Place) -> Written:
        """Appends to a streaming table and moves the flow to a place, once however often it is tried.

        The first append of a new generation takes the place of all rows.
        """
        return self._write(rows, refs, place)

    def _write(self, rows: DataFrame, refs: Iterable[TableRef], place: Place | None) -> Written:
        ready, read = checked(rows, self.target.expectations), tuple(refs)
        counts: list[tuple[int, tuple[Counted, ...]]] = []
        apart: list[TableRef] = []

        def before_commit() -> dict[str, str]:
            counts.append(ready.counts())
            refuse_failed(counts[0][1])
            # Before the table itself: what is committed there has its other rows here.
            if ready.apart is not None and self.target.quarantine is not None:
                notes = self._notes(read, ())
                how = {
                    "description": f"rows that were kept apart from {self.target.name}",
                    "before_commit": lambda: notes,
                }
                apart.append(self._commit(self.target.quarantine, ready.apart, place, how))
            return self._notes(read, counts[0][1])

        how = {
            "description": self.target.comment,
            "partition_by": self.target.partition_by,
            "before_commit": before_commit,
        }
        try:
            made = self._commit(self.target.name, ready.kept, place, how)
        finally:
            ready.close()
        # Done before: nothing was computed.
        rows_written, counted = counts[0] if counts else (0, ())
        mode = "overwrite" if place is None else "append"
        frames = dict(zip((made, *apart), (ready.kept, ready.apart), strict=False))
        seen = Watch(dict.fromkeys(read))
        said = {ref: columns_written(ref, rows, mode, seen, self.tables) for ref, rows in frames.items()}
        columns = {ref: each for ref, each in said.items() if each is not None}
        return Written((made, *apart), rows_written, counted, columns)

    def _commit(self, table: str, rows: DataFrame, place: Place | None, how: dict[str, Any]) -> TableRef:
        mode: Mode = "append"
        if place is None:
            last = place_of(self.tables, table, self.app)
            place, mode = Place(0, last.count + 1 if last else 0), "overwrite"
        elif self.tables.exists(table):
            apps = [application(self.pipeline, flow) for flow in self.flows]
            mode = "overwrite" if generation_of(self.tables, table, apps) < place.generation else "append"
        evolve = mode == "append"
        return self.tables.write(table, rows, mode=mode, transaction=place.transaction(self.app), evolve=evolve, **how)

    def _notes(self, refs: Iterable[TableRef], counted: Sequence[Counted]) -> dict[str, str]:
        inputs = {ref.name: ref.version for ref in refs}
        notes = notes_of(self.pipeline, self.flow, self.update, self.code, inputs)
        if counted:
            notes["expectations"] = json.dumps({one.rule.name: [one.passed, one.failed] for one in counted})
        return notes
