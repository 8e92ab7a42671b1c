"""Model registries: versions with checked files, and aliases.

_base          the contract
_memory        the twin
_mlflow        MLflow's registry
_mlflow_files  a model as a folder in MLflow's format
_files         digests of a model's files
_columns       the columns of a signature
"""

from __future__ import annotations

from sparkml_track.registries._base import (
    ALIAS_CHALLENGER,
    ALIAS_CHAMPION,
    Column,
    Package,
    Registry,
    Run,
    Signature,
)
from sparkml_track.registries._memory import MemoryRegistry
from sparkml_track.registries._mlflow import MlflowRegistry

__all__ = [
    "ALIAS_CHALLENGER",
    "ALIAS_CHAMPION",
    "Column",
    "MemoryRegistry",
    "MlflowRegistry",
    "Package",
    "Registry",
    "Run",
    "Signature",
]
