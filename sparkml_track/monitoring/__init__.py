"""Monitoring: do the data and the scores of a window still look like the baseline, and are the scores still good?

_spec      what is watched, and what counts as an alarm
_flow      count, judge, append to tables, record a run
_counting  rows to counts, in one pass
_judging   counts to drift
_quality   counts to quality
_found     what is found: the rows of the tables
_history   the tables, to which each run appends
_run       the run, with its figures and its page
"""

from __future__ import annotations

from sparkml_track.monitoring._flow import monitor
from sparkml_track.monitoring._found import (
    BASELINE,
    CONSECUTIVE,
    DRIFT,
    ESTIMATED,
    FEW,
    MEASURED,
    OK,
    CalibrationBin,
    Drift,
    Fairness,
    Monitored,
    Profile,
    Quality,
    Verdict,
)
from sparkml_track.monitoring._run import ARTIFACT_MONITORING
from sparkml_track.monitoring._spec import ByTime, ByValue, Guards, Labels, Monitoring

__all__ = [
    "ARTIFACT_MONITORING",
    "BASELINE",
    "CONSECUTIVE",
    "DRIFT",
    "ESTIMATED",
    "FEW",
    "MEASURED",
    "OK",
    "ByTime",
    "ByValue",
    "CalibrationBin",
    "Drift",
    "Fairness",
    "Guards",
    "Labels",
    "Monitored",
    "Monitoring",
    "Profile",
    "Quality",
    "Verdict",
    "monitor",
]
