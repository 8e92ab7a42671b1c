"""Aggregates of events over windows, as a feature table.

spec        what is aggregated over which windows, and whether the events have it
windows     rolling, sliding, tumbling and expanding windows
aggregated  events into a feature table
moves       when events enter and leave windows: one shuffle, one sort
worker      follows them in Spark's Python workers
parts       what is kept of a window: exact sums, order, different values, the latest one
ranked      a sorted list that values come to and go from
"""

from __future__ import annotations

from sparkml_track.features.aggregation.aggregated import aggregate
from sparkml_track.features.aggregation.spec import Aggregate, FeatureAggregation
from sparkml_track.features.aggregation.windows import ExpandingWindow, RollingWindow, SlidingWindow, TumblingWindow

__all__ = [
    "Aggregate",
    "ExpandingWindow",
    "FeatureAggregation",
    "RollingWindow",
    "SlidingWindow",
    "TumblingWindow",
    "aggregate",
]
