"""Monitoring: do the data and the scores of a window still look like the baseline, and are the scores still good?

_spec      what is watched, what counts as an alarm, and what came of it
_flow      count, judge, write tables, record a run
_counts    rows to counts, in one pass
_windows   which window a row belongs to, and values that the user named
_cuts      where the bins of a column are
_worker    that pass, in Spark's Python workers
_findings  counts to findings
_measures  distances of two binned distributions
"""

from __future__ import annotations

from sparkml_track.monitoring._flow import ARTIFACT_MONITORING, monitor
from sparkml_track.monitoring._spec import (
    DRIFT,
    FEW,
    OK,
    ByTime,
    ByValue,
    Drift,
    Guards,
    Monitored,
    Monitoring,
    Quality,
)

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
    "Quality",
    "monitor",
]
