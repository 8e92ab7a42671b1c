"""A run as a store has it, whole, so that another store can take it over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sparkml_track import schema
from sparkml_track.trial import NestedRun, RunLog

__all__ = ["WholeRun", "inside_of", "seconds", "with_nested"]


#: Folders are named by it, and tags say what anybody may write.
_NESTED_ID = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run with all that was ever written to it, but for its files.

    Attributes:
        run_id: the store's.
        name: shown in the UI.
        status: MLflow's: RUNNING, FINISHED, FAILED or KILLED.
        started: seconds since the epoch.
        ended: likewise; 0 while it runs.
        log: params, every point of each metric, tags and inputs, all as the store keeps them; models with the id of
            their run and with ``location``, where the store has their files; of a child run the runs inside it, each
            after the one that it is in.
        experiment: the name of its experiment; of parent runs alone.
    """

    run_id: str
    name: str
    status: str
    started: float
    ended: float
    log: RunLog
    experiment: str = ""

    @property
    def parent(self) -> str:
        """The id of the run that this one is in; empty for none."""
        return self.log.tags.get(schema.TAG_PARENT, "")


def seconds(millis: int | None) -> float:
    """A time in milliseconds as seconds, which ``millis`` turns back into the same; 0 for none."""
    # The middle of the millisecond: a third of the quotients would be rounded into the one before.
    return (millis + 0.5) / 1000 if millis else 0.0


def inside_of(runs: Iterable[WholeRun]) -> dict[str, list[WholeRun]]:
    """Nested runs by the run that each is in, in the order they began; others than slots make are left out."""
    inside: dict[str, list[WholeRun]] = {}
    for run in sorted(runs, key=lambda one: one.started):
        if _NESTED_ID.fullmatch(run.log.tags.get(schema.TAG_NESTED, "")):
            inside.setdefault(run.parent, []).append(run)
    return inside


def with_nested(child: WholeRun, inside: Mapping[str, Iterable[WholeRun]]) -> WholeRun:
    """A child run with the runs inside it.

    Args:
        child: the child run.
        inside: nested runs of the sweep, by the run that each is in.
    """
    nested: list[NestedRun] = []
    around = [("", child.run_id)]
    for parent, run_id in around:  # which grows meanwhile
        for one in inside.get(run_id, ()):
            nested_id = one.log.tags[schema.TAG_NESTED]
            nested.append(NestedRun(nested_id, one.name, parent, one.started, one.ended, one.status, one.log))
            around.append((nested_id, one.run_id))
    return replace(child, log=replace(child.log, nested=tuple(nested)))
