"""Monitoring: do the data and the scores of a window still look like the baseline, and are the scores still good?

_spec      what is watched, and what counts as an alarm
_flow      count, judge, write tables, record a run
_counting  rows to counts, in one pass
_judging   counts to findings
_found     what is found: the rows of the tables
_history   the tables, to which each run appends
"""

from __future__ import annotations

from sparkml_track.monitoring._flow import ARTIFACT_MONITORING, monitor
from sparkml_track.monitoring._found import DRIFT, FEW, OK, Drift, Monitored, Profile, Quality
from sparkml_track.monitoring._spec import ByTime, ByValue, Guards, Monitoring

__all__ = [
    "ARTIFACT_MONITORING",
    "DRIFT",
    "FEW",
    "OK",
    "ByTime",
    "ByValue",
    "Drift",
    "Guards",
    "Monitored",
    "Monitoring",
    "Profile",
    "Quality",
    "monitor",
]
