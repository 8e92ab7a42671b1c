from __future__ import annotations

import pytest

from sparkml_track.tables import MemoryTables, Tables
from sparkml_track.testing.tables import TablesCase


class TestMemory(TablesCase):
    @pytest.fixture
    def tables(self) -> Tables:
        return MemoryTables()
