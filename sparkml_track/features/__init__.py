"""Features: tables of them, point-in-time lookups, rolling windows, training sets.

store     feature tables and training sets, in Databricks' words
lookup    which features a training set takes, and by what
asof      the point-in-time join
rolling   rolling windows over events
exact     running means without rounding on the way
pipeline  the two data steps of the main job
"""

from __future__ import annotations

from sparkml_track.features.asof import Asof, latest_join, point_in_time
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.pipeline import Builder, BuiltTrainingSet, RawTable, Source, build, prepare
from sparkml_track.features.rolling import Rolling, rolling
from sparkml_track.features.store import FeatureStore, TrainingSet

__all__ = [
    "Asof",
    "Builder",
    "BuiltTrainingSet",
    "FeatureLookup",
    "FeatureStore",
    "RawTable",
    "Rolling",
    "Source",
    "TrainingSet",
    "build",
    "latest_join",
    "point_in_time",
    "prepare",
    "rolling",
]
