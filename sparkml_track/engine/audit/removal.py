"""The runs of a sweep are deleted, and restored. The journal stays: it is what ``restore`` and ``verify`` go by."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sparkml_track.adapters.mlflow.uri import whole_uri
from sparkml_track.engine.audit.load import loaded
from sparkml_track.engine.records.entries import plan_of, read_records
from sparkml_track.engine.records.types import Parent
from sparkml_track.errors import LeaseHeld, TrackingError
from sparkml_track.journals import read, sweeps
from sparkml_track.trackers import Tracker, open_tracker

__all__ = ["remove", "restore"]


def remove(target: str, home: Path, tracking_uri: str | None = None) -> int:
    """Deletes the parent run of a sweep and all of its child runs.

    Args:
        target: a sweep id, or the id of a parent run.
        home: the state folder.
        tracking_uri: of the store, where its journal is elsewhere or does not keep the whole of it.

    Returns:
        How many runs were deleted.

    Raises:
        LeaseHeld: the sweep is running.
        TrackingError: there is no such sweep, or the store cannot be reached.
    """
    sweep = loaded(target, home, tracking_uri)
    if sweep.state == "running":
        raise LeaseHeld(f"sweep {sweep.result.sweep} is running; end it first, then delete it")
    if not sweep.result.run_id:
        raise TrackingError(f"sweep {sweep.result.sweep} has no parent run, so there is nothing to delete")
    with closing(_store_of(sweep.result.sweep, home, tracking_uri)) as tracker:
        return tracker.remove(sweep.result.run_id)


def restore(target: str, home: Path, tracking_uri: str | None = None) -> int:
    """Brings back what ``remove`` deleted; the same arguments and errors."""
    with closing(_store_of(target, home, tracking_uri)) as tracker:
        return tracker.restore(_run_of(target, home))


def _store_of(target: str, home: Path, tracking_uri: str | None) -> Tracker:
    here = any(entry.sweep == target for entry in sweeps(home))
    plan = plan_of(read(home, target)) if here else None
    kept = None if plan is None else plan.spec.tracking.uri
    if plan is not None and not (kept and "***" in kept):  # an environment that names another store does not count
        return open_tracker(kept, home)
    return open_tracker(tracking_uri or whole_uri(target, kept), home)


def _run_of(target: str, home: Path) -> str:
    """Its parent run, which the store does not find by the sweep any more."""
    if all(entry.sweep != target for entry in sweeps(home)):
        return target
    runs = [record.run_id for record in read_records(read(home, target)) if isinstance(record, Parent)]
    if not runs:
        raise TrackingError(f"sweep {target} has no parent run, so there is nothing to restore")
    return runs[-1]
