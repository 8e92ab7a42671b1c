"""Which features a training set takes, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

__all__ = ["FeatureLookup"]


@dataclass(frozen=True, slots=True)
class FeatureLookup:
    """Features of one table, found by key and, where the table has a timestamp, as known at a row's time.

    Attributes:
        table_name: a feature table.
        lookup_key: columns of the rows, in the order of the table's primary keys.
        feature_names: which features; None takes all columns that are neither keys nor the timestamp.
        rename_outputs: feature to name in the result.
        timestamp_lookup_key: column of the rows that holds the time. Needed exactly where the table has a timestamp.
            A value whose timestamp is exactly this time counts as known.
        lookback_window: values older than this count as missing; None for any age.
        default_values: name in the result to what stands for a missing value.
        known_key: column of the table that says when a row came, where rows may come late: a row counts only from then
            on. Of its type is the timestamp. None: a row counts from its timestamp on.
    """

    table_name: str
    lookup_key: str | tuple[str, ...]
    feature_names: tuple[str, ...] | None = None
    rename_outputs: Mapping[str, str] = field(default_factory=dict)
    timestamp_lookup_key: str | None = None
    lookback_window: timedelta | None = None
    default_values: Mapping[str, object] = field(default_factory=dict)
    known_key: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The lookup key as a tuple."""
        return (self.lookup_key,) if isinstance(self.lookup_key, str) else tuple(self.lookup_key)
