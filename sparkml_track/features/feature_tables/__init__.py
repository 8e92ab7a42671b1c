"""Single feature tables: written, read at a version, dropped, streamed into.

methods    the part of the store that has them
lifecycle  versions that are read, tables that are dropped
streams    streams into tables, each batch once
"""

from __future__ import annotations

from sparkml_track.features.feature_tables.lifecycle import DroppedTable, check_roles, feature_info
from sparkml_track.features.feature_tables.methods import FeatureTables
from sparkml_track.features.feature_tables.streams import TableStream

__all__ = ["DroppedTable", "FeatureTables", "TableStream", "check_roles", "feature_info"]
