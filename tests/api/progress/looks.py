"""Looks at sweeps, for tests of what shows them."""

from __future__ import annotations

from sparkml_track.engine.loop.progress import Progress


def look(**fields: object) -> Progress:
    """A sweep of 40 trials that has just begun, with other fields."""
    none = {"finished": 0, "pruned": 0, "failed": 0, "killed": 0, "running": 0, "planned": 40}
    none |= {"best": None, "best_number": None, "elapsed": 0.0, "remaining": None, "name": "forests"}
    return Progress(**{**none, **fields})  # type: ignore[arg-type]
