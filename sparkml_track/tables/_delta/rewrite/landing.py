"""A change on its way into the log, and what becomes of it when other writers come first.

A change is computed from one version. Commits that came since are looked at one by one. One that took files which the
change takes too, that added rows which the change might have to touch, or that changed columns, makes it be computed
again; what cannot matter is passed by, and the change lands behind it. So changes are serializable, and appends of
other rows do not hold them up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkml_track.errors import SparkmlError, TableError
from sparkml_track.tables._delta import files, log, outcomes
from sparkml_track.tables._delta.actions import Change, actions_of, publish
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._values import TransactionId

_REDONE = 6
_PASSED = 1000
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that was computed, and whom it gets along with.

    Attributes:
        change: what to commit.
        may_match: judges an ``add`` action of another writer: whether its rows might have been touched.
    """

    change: Change
    may_match: Callable[[Mapping[str, object]], bool]

    def discard(self, path: Location) -> None:
        """Remove what was staged."""
        for folder in {(path / file.path).parent for file in (*self.change.adds, *self.change.feed)}:
            files.discard(folder)


def land(
    path: Location, action: str, transaction: TransactionId | None, compute: Callable[[log.Log], Plan | None]
) -> int:
    """Compute a change and commit it, again where another writer is in the way.

    Args:
        path: of the table.
        action: the subject of errors, such as "deleting from table t".
        transaction: done once.
        compute: gives the change for a version; None where there is nothing to do.

    Returns:
        The version that has the change.

    Raises:
        TableError: every time another writer changed what the change is about.
    """
    lost = ""
    for number in range(_REDONE):
        time.sleep(_PAUSE * number * random.random())
        found = log.open_log(path)
        assert found is not None  # the caller opened it
        if log.has_transaction(found, transaction):
            return int(found.version())
        plan = compute(found)
        if plan is None:
            return int(found.version())
        outcome = _commit(found, path, plan)
        if isinstance(outcome, int):
            return outcome
        lost = outcome
        plan.discard(path)
    raise TableError(
        f"{action} was computed {_REDONE} times, and each time another writer came first; the last one was {lost}. "
        "Nothing was written: try again when fewer writers change the same rows"
    )


def _commit(found: log.Log, path: Location, plan: Plan) -> int | str:
    """The version made, or the name of the commit that is in the way."""
    version = int(found.version()) + 1
    try:
        for _ in range(_PASSED):
            try:
                return publish(found, path, version, plan.change)
            except outcomes.Taken:
                if reason := _in_the_way(path, version, plan):
                    return reason
                version += 1
    except SparkmlError:  # the commit was not made; where that is not known, vacuum takes the rest
        if path.certain:
            plan.discard(path)
        raise
    return f"version {version}"


def _in_the_way(path: Location, version: int, plan: Plan) -> str:
    """What of a winner's commit the change cannot land behind; empty if it can."""
    actions = actions_of(path, version)
    info = next((action["commitInfo"] for action in actions or () if "commitInfo" in action), {})
    who = f"{info.get('operation', 'an unknown operation')} in version {version}"
    if actions is None:
        return f"{who}, whose log is gone"
    ours = {entry.raw for entry in plan.change.removes}
    kinds = {kind for action in actions for kind in action}
    if kinds & {"metaData", "protocol"}:
        return f"{who}, which changed the table's columns or properties"
    if any(action["remove"]["path"] in ours for action in actions if "remove" in action):
        return f"{who}, which changed the same files"
    app = plan.change.transaction and plan.change.transaction[0]
    if app and any(action["txn"]["appId"] == app for action in actions if "txn" in action):
        return f"{who}, which is of the same application"
    adds = (action["add"] for action in actions if "add" in action)
    if plan.change.data_change and any(add.get("dataChange", True) and plan.may_match(add) for add in adds):
        return f"{who}, which added rows that may be concerned"
    return ""
