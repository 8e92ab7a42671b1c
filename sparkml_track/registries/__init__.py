"""Model registries: versions with checked files, and aliases.

_base          the contract
_memory        the twin
_mlflow        MLflow's registry
_files         digests of a model's files
_types         what a stored model may name, and where the project's own code is
_columns       the columns of a signature
_lineage       from what a version was made
_lock          one process at a time moves aliases
"""

from __future__ import annotations

from sparkml_track.registries._base import (
    ALIAS_CHALLENGER,
    ALIAS_CHAMPION,
    FORMATS,
    SKLEARN,
    Column,
    Package,
    Registry,
    Run,
    Signature,
    VersionFacts,
)
from sparkml_track.registries._memory import MemoryRegistry
from sparkml_track.registries._mlflow import MlflowRegistry
from sparkml_track.registries._types import is_users

__all__ = [
    "ALIAS_CHALLENGER",
    "ALIAS_CHAMPION",
    "FORMATS",
    "SKLEARN",
    "Column",
    "MemoryRegistry",
    "MlflowRegistry",
    "Package",
    "Registry",
    "Run",
    "Signature",
    "VersionFacts",
    "is_users",
]
