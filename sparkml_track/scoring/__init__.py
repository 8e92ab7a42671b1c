"""Batch scoring: one pinned model version, a whole table, on Spark."""

from __future__ import annotations

from sparkml_track.scoring._flow import score
from sparkml_track.scoring._spec import ADDED, Period, Scored, Scoring

__all__ = ["ADDED", "Period", "Scored", "Scoring", "score"]
