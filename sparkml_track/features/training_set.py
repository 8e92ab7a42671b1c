"""Rows to train on, with the versions of the tables that they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkml_track.cards import card, lineage_command
from sparkml_track.features.online.carrying import Origin
from sparkml_track.refs import TableRef

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["TrainingSet"]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows with their features looked up, not yet computed.

    Attributes:
        df: the rows; ``load_df`` in the words of Databricks.
        label: the column to predict.
        features: the columns to predict from.
        keys: the columns that name a row: unique, never null.
        tables: every table version that was read for it, by table name.
        dropped: reason to number of rows that were left out before; for the record.
        origin: what its features were looked up and computed by; None where nobody knows, and no model carries it.
    """

    df: DataFrame
    label: str
    features: tuple[str, ...]
    keys: tuple[str, ...]
    tables: Mapping[str, TableRef]
    dropped: Mapping[str, int] = field(default_factory=dict)
    origin: Origin | None = None

    def _repr_html_(self) -> str:
        """For notebooks: what its columns are and what it was made from; no row is computed."""
        facts = {
            "label": self.label,
            "keys": ", ".join(self.keys),
            "features": f"{len(self.features)}: {', '.join(self.features)}",
            "made from": ", ".join(map(str, self.tables.values())),
            "left out": ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()),
            "rows": "computed when they are used; st.preview(...) computes a few",
        }
        first = next(iter(self.tables.values()), None)
        return card("Training set", facts, command=lineage_command(first.name, first.version) if first else "")

    def load_df(self) -> DataFrame:
        """Give the rows as a DataFrame; nothing is computed before it is used."""
        return self.df
