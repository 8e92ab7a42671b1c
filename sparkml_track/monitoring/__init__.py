"""Monitoring: do the data and the scores of a window still look like the baseline, and are the scores still good?"""

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
