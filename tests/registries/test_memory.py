"""The memory registry passes the registry case."""

from __future__ import annotations

import pytest

from sparkml_track.refs import ModelRef
from sparkml_track.registries import MemoryRegistry, Registry
from sparkml_track.testing.registries import RegistryCase


class TestMemoryRegistry(RegistryCase):
    @pytest.fixture
    def registry(self) -> Registry:
        return MemoryRegistry()

    def damage(self, registry: Registry, ref: ModelRef) -> None:
        assert isinstance(registry, MemoryRegistry)
        stored = registry._models[ref.name][ref.version - 1]
        stored.blob = bytes([stored.blob[0] ^ 1]) + stored.blob[1:]
