"""Pipelines: tables made from tables, each rebuilt only where its code or what it reads has changed.

The words are those of Spark Declarative Pipelines: ``from sparkml_track import pipelines as dp``.

pipeline  a pipeline: what it declares, planned and updated
declared  what its files declare
planning  what will be built, and why
updating  flows at work
updates   updates that were
"""

from __future__ import annotations

from sparkml_track.pipelines.declared.decorators import (
    append_flow,
    create_streaming_table,
    materialized_view,
    table,
    temporary_view,
)
from sparkml_track.pipelines.declared.doors import read, read_stream, spark
from sparkml_track.pipelines.declared.expectations import (
    expect,
    expect_all,
    expect_all_or_drop,
    expect_all_or_fail,
    expect_all_or_quarantine,
    expect_or_drop,
    expect_or_fail,
    expect_or_quarantine,
)
from sparkml_track.pipelines.pipeline import Pipeline

__all__ = [
    "Pipeline",
    "append_flow",
    "create_streaming_table",
    "expect",
    "expect_all",
    "expect_all_or_drop",
    "expect_all_or_fail",
    "expect_all_or_quarantine",
    "expect_or_drop",
    "expect_or_fail",
    "expect_or_quarantine",
    "materialized_view",
    "read",
    "read_stream",
    "spark",
    "table",
    "temporary_view",
]
