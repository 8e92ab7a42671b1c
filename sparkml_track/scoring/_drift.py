"""Whether a table still has what a model takes; asked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sparkml_track.errors import DataError
from sparkml_track.registries import Signature

__all__ = ["check_columns"]

_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_ACCEPTED = {
    "boolean": ("boolean",),
    "integer": _INTEGERS[:3],
    "long": _INTEGERS,
    "float": (*_INTEGERS, "float", "double", "decimal", "boolean"),
    "double": (*_INTEGERS, "float", "double", "decimal", "boolean"),
    "string": ("string",),
}


def check_columns(signature: Signature, columns: Mapping[str, str], what: str) -> None:
    """Refuses a table that a model cannot score.

    Args:
        signature: of the model.
        columns: of the table, name to Spark type.
        what: the table, for the message.

    Raises:
        DataError: a column is missing or has another kind of type; all are named.
    """
    problems = list(_drifted(signature, columns))
    if problems:
        raise DataError(
            f"{what} cannot be scored: {'; '.join(problems)}. "
            "Rebuild the table as it was for training, or register a model of the columns of today."
        )


def _drifted(signature: Signature, columns: Mapping[str, str]) -> Iterator[str]:
    for column in signature.inputs:
        found = columns.get(column.name)
        if found is None:
            yield f"column {column.name!r} ({column.type}) is missing"
        elif found.partition("(")[0] not in _ACCEPTED.get(column.type, ()):
            yield f"column {column.name!r} is {found}, the model takes {column.type}"
