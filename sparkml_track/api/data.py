"""Data of a sweep that lies in tables: read at one version, and which versions all of it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkml_track.governance.sources.watch import tables_of
from sparkml_track.refs import DataRef, TableRef

__all__ = ["Given", "given_data"]


@dataclass(frozen=True, slots=True)
class Given:
    """What a sweep was given.

    Attributes:
        data: for the objective, by name; Arrow tables for versions of tables.
        inputs: the versions of tables that were given as they are, for the parent run.
        made_from: every version that is known to be behind the data.
    """

    data: Mapping[str, object]
    inputs: tuple[DataRef, ...] = ()
    made_from: tuple[TableRef, ...] = ()


def given_data(data: object) -> Given:
    """Reads what was given as a version of a table.

    Raises:
        TableError: there is no such version.
    """
    if not isinstance(data, Mapping):
        return Given({})
    read: dict[str, Any] = {
        name: _read(value) if isinstance(value, TableRef) else value for name, value in data.items()
    }
    inputs = tuple(
        DataRef(str(name), f"v{value.version}", read[name].num_rows, value)
        for name, value in data.items()
        if isinstance(value, TableRef)
    )
    made_from = dict.fromkeys(ref for value in read.values() for ref in tables_of(value))
    return Given(read, inputs, tuple(made_from))


def _read(ref: TableRef) -> object:
    from sparkml_track.tables import DeltaTables

    return DeltaTables(ref.path.rpartition("/")[0]).to_arrow(ref)
