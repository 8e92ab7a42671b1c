"""The point-in-time join, in two ways that give the same rows.

join      which way is taken; the joins that callers see
contract  what a join is asked for, and what does not fit
window    union and window, on any cluster
local     DuckDB over Parquet files, on one machine
scans     which files a data frame reads
query     the query, where it runs
"""

from __future__ import annotations

from sparkml_track.features.asof.contract import Asof, Side, check_join
from sparkml_track.features.asof.join import latest_join, point_in_time, points_in_time

__all__ = ["Asof", "Side", "check_join", "latest_join", "point_in_time", "points_in_time"]
