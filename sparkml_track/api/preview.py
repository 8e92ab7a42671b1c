"""The first rows of a table or of a Spark data frame, as a notebook shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.cards import card, lineage_command, table
from sparkml_track.errors import InvalidInput
from sparkml_track.governance.sources.watch import tables_of
from sparkml_track.home import Home
from sparkml_track.refs import TableRef

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Preview", "preview"]

#: Columns that are shown.
_MOST = 40


@dataclass(frozen=True, slots=True)
class Preview:
    """Some rows.

    Attributes:
        title: of what.
        rows: some of them, as an Arrow table.
        total: how many there are; None where that takes reading them.
        made_from: the versions of tables that they are known to come from.
    """

    title: str
    rows: pa.Table
    total: int | None
    made_from: tuple[TableRef, ...] = ()

    @property
    def shape(self) -> tuple[int | None, int]:
        """Rows and columns of the whole; rows None where that is not known."""
        return self.total, self.rows.num_columns

    def __repr__(self) -> str:
        return f"<Preview of {self.title}: {self._size}>\n{self.rows.to_pandas().to_string(max_cols=_MOST)}"

    @property
    def _size(self) -> str:
        count = "rows not counted" if self.total is None else f"{self.total:,} rows"
        return f"{count}, {self.rows.num_columns} columns"

    def _repr_html_(self) -> str:
        """For notebooks."""
        shown = self.rows.select(self.rows.column_names[:_MOST])
        names = [f"{field.name} ({field.type})" for field in shown.schema]
        columns = [column.to_pylist() for column in shown.columns]
        facts = {
            "size": self._size,
            "shown": f"{shown.num_rows} rows" + (f", {_MOST} columns" if self.rows.num_columns > _MOST else ""),
            "made from": ", ".join(map(str, self.made_from)),
        }
        command = lineage_command(self.made_from[0].name, self.made_from[0].version) if self.made_from else ""
        return card(self.title, facts, table(names, zip(*columns, strict=True)), command)


def preview(what: object, rows: int = 10) -> Preview:
    """Some rows of a table or of a Spark data frame, whichever come soonest.

    Args:
        what: the name of a table of the home, a version of one (``TableRef``), a ``TrainingSet``, or a Spark data
            frame, of which Spark computes as many rows.
        rows: at most so many.

    Raises:
        InvalidInput: it is none of these.
        TableError: there is no such table.
    """
    if isinstance(what, str | TableRef):
        return _of_table(what, rows)
    frame: Any = getattr(what, "df", what)
    if not (hasattr(frame, "limit") and hasattr(frame, "toArrow")):
        kind = type(what).__name__
        raise InvalidInput(f"a {kind} has no preview; give the name of a table, a TableRef, or a Spark data frame")
    return Preview(f"a {type(what).__name__}", frame.limit(rows).toArrow(), None, tuple(tables_of(frame)))


def _of_table(what: str | TableRef, rows: int) -> Preview:
    from sparkml_track.tables import DeltaTables

    home = Home.find().tables_root
    tables = DeltaTables(what.path.rpartition("/")[0] if isinstance(what, TableRef) else home, lineage=False)
    ref = tables.pin(what) if isinstance(what, str) else what
    return Preview(str(ref), tables.head(ref, rows), tables.count(ref), (ref,))
