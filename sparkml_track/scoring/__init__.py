"""Batch scoring: one pinned model version, a whole table, on Spark.

_spec      what is scored, and what came of it
_flow      scoring with one pinned version, into a table
_shipping  a model as bytes that workers can read
_worker    what a Spark Python worker does
_numbers   what a score is: one number, or several
_drift     whether a table still has what a model takes
"""

from __future__ import annotations

from sparkml_track.scoring._flow import score
from sparkml_track.scoring._spec import ADDED, Period, Scored, Scoring

__all__ = ["ADDED", "Period", "Scored", "Scoring", "score"]
