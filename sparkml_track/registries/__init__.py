"""Model registries: versions with checked files, and aliases."""

from __future__ import annotations

from sparkml_track.registries._base import (
    ALIAS_CHALLENGER,
    ALIAS_CHAMPION,
    FORMATS,
    TAG_FILES,
    TAG_NAME,
    TAG_TABLE,
    Column,
    Package,
    Registry,
    Run,
    Signature,
)
from sparkml_track.registries._memory import MemoryRegistry
from sparkml_track.registries._mlflow import MlflowRegistry
from sparkml_track.registries._types import is_users

__all__ = [
    "ALIAS_CHALLENGER",
    "ALIAS_CHAMPION",
    "FORMATS",
    "TAG_FILES",
    "TAG_NAME",
    "TAG_TABLE",
    "Column",
    "MemoryRegistry",
    "MlflowRegistry",
    "Package",
    "Registry",
    "Run",
    "Signature",
    "is_users",
]
