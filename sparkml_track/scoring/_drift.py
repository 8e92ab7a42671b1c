"""Whether a table still has what a model takes; asked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sparkml_track.errors import DataError
from sparkml_track.registries import Signature

__all__ = ["check_columns"]

_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_ACCEPTED = {
    "boolean": ("boolean",),
    "integer": _INTEGERS[:3],
    "long": _INTEGERS,
    "float": (*_INTEGERS, "float", "double", "boolean"),
    "double": (*_INTEGERS, "float", "double", "boolean"),
    "string": ("string",),
}


def check_columns(signature: Signature, columns: Mapping[str, str], added: Sequence[str], what: str) -> None:
    """Refuses a table that a model cannot score.

    Args:
        signature: of the model.
        columns: of the table, name to Spark type.
        added: columns that scoring writes.
        what: the table, for the message.

    Raises:
        DataError: a column is missing, has another kind of type, or is in the way; all are named.
    """
    problems = [
        *_drifted(signature, columns),
        *(f"{name!r} is there, but scoring writes it" for name in added if name in columns),
    ]
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
        elif found not in _ACCEPTED.get(column.type, ()):
            yield f"column {column.name!r} is {found}, the model takes {column.type}"
