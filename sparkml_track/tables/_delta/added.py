"""The files that a range of versions added to a table, from the actions of their commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sparkml_track.errors import TableError
from sparkml_track.tables._delta.actions import actions_of
from sparkml_track.tables._delta.locations import Location

_ANEW = "read the table whole instead (a pipeline does so by --full-refresh)"


def added_files(path: Location, versions: Sequence[int], *, skip_changes: bool) -> dict[Location, Mapping[str, object]]:
    """Files with the values of partition columns.

    Args:
        path: of the table.
        versions: in order.
        skip_changes: pass over versions that deleted or changed rows.

    Raises:
        TableError: a version did, or is no longer in the log, or files of it are gone.
    """
    files = dict[Location, Mapping[str, object]]()
    for version in versions:
        actions = actions_of(path, version)
        if actions is None:
            raise TableError(f"version {version} of table {path.name} is no longer in its log: {_ANEW}")
        if not _changes(actions):
            files |= _added(path, actions)
        elif not skip_changes:
            raise TableError(
                f"version {version} of table {path.name} deleted or changed rows ({_operation(actions)}), so what came "
                f"to it is not appended rows alone: {_ANEW}, or pass over such versions by skip_changes"
            )
    if not path.all_there(list(files)):
        raise TableError(f"files that came to table {path.name} after version {versions[0] - 1} were vacuumed: {_ANEW}")
    return files


def _added(path: Location, actions: Sequence[Mapping[str, Any]]) -> dict[Location, Mapping[str, object]]:
    adds = [action["add"] for action in actions if "add" in action]
    # Rows that only moved were appended before.
    return {
        path / unquote(add["path"]): add.get("partitionValues") or {} for add in adds if add.get("dataChange", True)
    }


def _changes(actions: Sequence[Mapping[str, Any]]) -> bool:
    return any("remove" in action and action["remove"].get("dataChange", True) for action in actions)


def _operation(actions: Sequence[Mapping[str, Any]]) -> str:
    return next((str(action["commitInfo"].get("operation")) for action in actions if "commitInfo" in action), "unknown")
