"""Batch scoring on Spark: a whole table with one pinned model version, or rows as they come.

_spec      what is scored, and what came of it
_flow      a table with one pinned version, into a table
_frame     a data frame, into another
_follow    rows as they come, each batch exactly once
_prepared  one version made ready for rows of one shape
_spark_ml  a model of Spark ML, asked by its own transform
_shipping  a model as bytes that workers can read
_worker    what a Spark Python worker does
_numbers   what a score is: one number, or several
_drift     whether a table still has what a model takes
_failures  what a failed job says
"""

from __future__ import annotations

from sparkml_track.scored import ADDED
from sparkml_track.scoring._flow import score
from sparkml_track.scoring._follow import score_new, score_stream
from sparkml_track.scoring._frame import score_frame
from sparkml_track.scoring._spec import Follow, Followed, Period, Scored, Scoring

__all__ = [
    "ADDED",
    "Follow",
    "Followed",
    "Period",
    "Scored",
    "Scoring",
    "score",
    "score_frame",
    "score_new",
    "score_stream",
]
