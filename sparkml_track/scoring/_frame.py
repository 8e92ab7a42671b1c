"""Scoring of a data frame with one pinned model version, into another data frame; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkml_track.refs import ModelRef
from sparkml_track.registries import Registry
from sparkml_track.scoring._failures import translated
from sparkml_track.scoring._prepared import prepared, scored_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["score_frame"]


@dataclass(frozen=True, slots=True)
class _AllRows:
    """All rows and columns, and one version."""

    model: str
    version: int | None
    alias: str = ""
    where: Mapping[str, Sequence[object]] = field(default_factory=dict)
    keep: Sequence[str] = ()


def score_frame(rows: DataFrame, model: ModelRef, registry: Registry) -> DataFrame:
    """Adds the columns of ``ADDED``, lazily: what a row lacks or a model raises is in its column "problem".

    Args:
        rows: with the columns that the model takes.
        model: a version.
        registry: where it is.

    Raises:
        RegistryError: the model's files are not what was registered.
        DataError: a column of the model is missing, or has another type.
        NotBuilt: see ``score``.
    """
    with translated(f"scoring with {model}"):
        asked = _AllRows(model.name, model.version)
        work, _ = prepared(asked, rows, model, registry, "the data frame")
        return scored_rows(rows, work)
