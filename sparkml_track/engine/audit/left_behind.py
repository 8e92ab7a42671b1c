"""Sweeps that no call goes on with, left by a driver that died: their parent runs are ended as what they are.

Some front doors keep what goes on elsewhere, in a study or in a file, and begin a sweep with each call; others go on
only where the search has a name. Their plans say so (``once`` in the origin). A sweep that a call goes on with is left
alone: it is that call's.
"""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

from sparkml_track.adapters.mlflow.uri import whole_uri
from sparkml_track.engine.audit.repair import Repair
from sparkml_track.engine.records.types import Plan
from sparkml_track.engine.recovery.candidates import without_end
from sparkml_track.errors import LeaseHeld, SparkmlError
from sparkml_track.trackers import open_tracker

__all__ = ["end_left_behind"]

_log = logging.getLogger(__name__)


def end_left_behind(home: Path, name: str | None = None) -> list[str]:
    """Ends the parent runs of sweeps whose driver is gone and that no call goes on with.

    They end as killed, or as finished if all trials had ended. What the journal has is published; trials without an
    outcome count as killed. What cannot be ended now, as its tracking store is away, is logged and left for the next
    time.

    Args:
        home: the state folder.
        name: of the sweeps; None for all there are.

    Returns:
        A sentence for each.

    Raises:
        JournalError: the folder of journals cannot be read.
    """
    ended = []
    for sweep, plan in without_end(home, name):
        if "once" not in plan.origin:
            continue
        try:
            state = _end(home, sweep, plan)
        except LeaseHeld:  # another call is at it
            continue
        except SparkmlError as error:
            _log.warning(
                "sweep %s was left by a driver that died, and its parent run cannot be ended: %s", sweep, error
            )
            continue
        ended.append(
            f"sweep {sweep} was left by a driver that is gone: its parent run ends as {state}; {plan.origin['once']}"
        )
    return ended


def _end(home: Path, sweep: str, plan: Plan) -> str:
    with closing(open_tracker(whole_uri(sweep, plan.spec.tracking.uri), home)) as tracker:
        repair = Repair(home, sweep, tracker, tracker.find(sweep), why="its driver was gone")
        repair.run()
        return repair.state.value
