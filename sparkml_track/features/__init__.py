"""Features: tables of them, point-in-time lookups, rolling windows, training sets.

store     feature tables and training sets, in Databricks' words
feature_tables  single tables: written, read at a version, dropped, streamed into
late      look-ups in tables whose rows may come late
leaks     the check for features that know the future, or the label
training_set  rows to train on
lookup    which features a training set takes, and by what
lookups_together  look-ups by the same keys and time, in one pass
asof      the point-in-time join
rolling   counts and means over rolling windows of events
aggregation  any aggregate over rolling, sliding, tumbling and expanding windows
exact     running means without rounding on the way
online    features that are served: published by key, carried by models, computed on demand
pipeline  the two data steps of the main job
"""

from __future__ import annotations

from sparkml_track.features.aggregation import (
    Aggregate,
    ExpandingWindow,
    FeatureAggregation,
    RollingWindow,
    SlidingWindow,
    TumblingWindow,
    aggregate,
)
from sparkml_track.features.asof import Asof, latest_join, point_in_time
from sparkml_track.features.feature_tables import DroppedTable, TableStream
from sparkml_track.features.leaks import AuditReport, Known, audit
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.online.function import FeatureFunction
from sparkml_track.features.online.publishing import Published
from sparkml_track.features.pipeline import Builder, BuiltTrainingSet, RawTable, Source, build, prepare
from sparkml_track.features.rolling import Rolling, rolling
from sparkml_track.features.store import FeatureStore
from sparkml_track.features.training_set import TrainingSet

__all__ = [
    "Aggregate",
    "Asof",
    "AuditReport",
    "Builder",
    "BuiltTrainingSet",
    "DroppedTable",
    "ExpandingWindow",
    "FeatureAggregation",
    "FeatureFunction",
    "FeatureLookup",
    "FeatureStore",
    "Known",
    "Published",
    "RawTable",
    "Rolling",
    "RollingWindow",
    "SlidingWindow",
    "Source",
    "TableStream",
    "TrainingSet",
    "TumblingWindow",
    "aggregate",
    "audit",
    "build",
    "latest_join",
    "point_in_time",
    "prepare",
    "rolling",
]
