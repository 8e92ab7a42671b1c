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

import importlib
from typing import TYPE_CHECKING

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
from sparkml_track.monitoring._spec import ByTime, ByValue, Guards, Labels, Monitoring

if TYPE_CHECKING:
    from sparkml_track.monitoring._flow import monitor
    from sparkml_track.monitoring._run import ARTIFACT_MONITORING

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

#: What brings Spark and SciPy along, which whoever looks at rows does without.
_LATER = {"monitor": "_flow", "ARTIFACT_MONITORING": "_run"}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
