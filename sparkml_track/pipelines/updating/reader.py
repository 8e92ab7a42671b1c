"""What a flow reads at work: each table at one version, noted for its lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.declared.doors import reading
from sparkml_track.pipelines.planning.decisions import Decision
from sparkml_track.pipelines.planning.graph import Graph
from sparkml_track.refs import TableRef
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["FlowReader"]


class FlowReader:
    """Reads for one flow.

    Args:
        graph: of the pipeline.
        tables: of the home.
        spark: the session.
        versions: the version of each table that can be read.
        decision: what is done.
        upto: the version of the source to read to; None for the one in ``versions``.
    """

    def __init__(  # all that a flow may ask for
        self,
        graph: Graph,
        tables: Tables,
        spark: SparkSession,
        versions: Mapping[str, TableRef],
        decision: Decision,
        upto: int | None = None,
    ) -> None:
        self._graph = graph
        self._tables = tables
        self._spark = spark
        self._versions = versions
        self._decision = decision
        self._upto = upto
        #: The versions that were read.
        self.refs: dict[TableRef, None] = {}

    def rows(self) -> DataFrame:
        """What the function of the flow gives.

        Raises:
            InvalidInput: that is not a DataFrame.
        """
        with reading(self):
            made: Any = self._decision.flow.query()
        if not hasattr(made, "isStreaming") or not hasattr(made, "observe"):
            raise InvalidInput(f"its function returned {type(made).__name__}; it must return a DataFrame")
        return cast("DataFrame", made)

    def table(self, name: str) -> Any:
        """A table at its version, or the rows of a view."""
        meant = self._meant(name)
        view = self._graph.declared.views.get(meant)
        if view is not None:
            return view.query()
        return self._tables.read(self._noted(meant))

    def stream(self, name: str, *, skip_changes: bool) -> Any:
        """The rows that the flow has not read yet."""
        meant = self._meant(name)
        if meant != self._decision.source:
            raise InvalidInput(f"it reads the new rows of {name}, which it did not read when it was looked at")
        ref, place = self._noted(meant), self._decision.place
        if place is None:
            return self._tables.read(ref)
        return self._tables.appended(meant, place.count, ref.version, skip_changes=skip_changes)

    def session(self, use: str) -> Any:  # noqa: ARG002
        """The session itself."""
        return self._spark

    def _meant(self, name: str) -> str:
        meant = self._graph.names.get(name)
        if meant is None:
            raise InvalidInput(
                f"it reads {name}, which it did not read when it was looked at without rows; name its tables whatever "
                "the rows are"
            )
        return meant

    def _noted(self, name: str) -> TableRef:
        ref = self._versions.get(name)
        if ref is None:
            raise InvalidInput(f"it reads {name}, of which there is no version yet")
        if name == self._decision.source and self._upto is not None:
            ref = self._tables.pin(name, self._upto)
        self.refs[ref] = None
        return ref
