"""A table as somebody sees it who may not see all of it.

It is made whole before the query, which then has no file of the table: whatever its conditions compute, and whatever
their errors say, is of rows and values that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sparkml_track.errors import AccessDenied, InvalidInput, QueryError
from sparkml_track.sql import Answer, Engine, Mention, Query, View

if TYPE_CHECKING:
    from sparkml_track.governance.grants import Restriction

__all__ = ["check_expressions", "restricted"]

_TABLE, _USER = "rows_of_the_table", "user"


def restricted(
    engine: Engine, view: View, restrictions: Sequence[Restriction], user: str, timeout: float | None = None
) -> View:
    """What somebody sees of a table.

    Args:
        engine: which computes it.
        view: all of it.
        restrictions: that hold.
        user: ``$user``.
        timeout: seconds; None for as long as it takes.

    Raises:
        AccessDenied: the engine cannot keep a query inside.
        QueryError: an expression fails for some rows; of which ones is not said.
    """
    if not engine.confined:
        raise AccessDenied(f"{view.name} has filtered rows or masked columns: ask the engine duckdb")
    try:
        return View(view.name, view.columns, rows=_answer(engine, view, restrictions, user, timeout).rows)
    except (InvalidInput, QueryError):
        raise QueryError(
            f"what is shown of {view.name} cannot be computed: a filter or a mask of it fails for some rows, which its "
            "owner can mend, or it took too long"
        ) from None


def check_expressions(engine: Engine, view: View, restrictions: Sequence[Restriction]) -> None:
    """Refuses expressions that cannot be computed.

    Args:
        engine: as in ``restricted``.
        view: without rows.
        restrictions: all of the table.

    Raises:
        InvalidInput: says what is wrong.
    """
    for one in restrictions:
        if one.column and one.column.lower() not in map(str.lower, view.columns):
            raise InvalidInput(f"{one.table} has no column {one.column!r}; it has {', '.join(view.columns)}")
        try:
            parsed = engine.parse(_text(view.columns, [one]))
        except InvalidInput as error:
            raise InvalidInput(f"{one.expression!r} is no expression of SQL: {error}") from error
        if {mention.parts for mention in parsed.mentions} != {(_TABLE,)}:
            raise InvalidInput(f"{one.expression!r} reads another table; allowed are columns of {one.table}")
        if others := parsed.parameters - {_USER}:
            raise InvalidInput(f"{one.expression!r} asks for ${min(others)}; there is $user alone, who asks")
    try:
        if _answer(engine, view, restrictions, "", None).rows.num_rows:
            raise InvalidInput(f"a mask of {view.name} makes one row of many; allowed is an expression over one row")
    except QueryError as error:
        raise InvalidInput(f"a filter or a mask of {view.name} cannot be computed: {error}") from error


def _answer(
    engine: Engine, view: View, restrictions: Sequence[Restriction], user: str, timeout: float | None
) -> Answer:
    text = _text(view.columns, restrictions)
    params = {_USER: user} if _USER in engine.parse(text).parameters else {}
    return engine.run(Query(text, params, timeout=timeout), {Mention((_TABLE,)): view})


def _text(columns: Mapping[str, str], restrictions: Sequence[Restriction]) -> str:
    # Names of columns that differ in case alone are the same one to whoever writes another version.
    masks = {each.column.lower(): each.expression for each in restrictions if each.column}
    kept = {name: masks.get(name.lower()) for name in columns}
    shown = (_quoted(name) if mask is None else f"({mask}) AS {_quoted(name)}" for name, mask in kept.items())
    rows = " AND ".join(f"({each.expression})" for each in restrictions if not each.column) or "true"
    return f"SELECT {', '.join(shown)} FROM {_TABLE} WHERE {rows}"  # noqa: S608  # an owner's own words


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
