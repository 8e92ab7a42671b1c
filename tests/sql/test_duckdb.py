from __future__ import annotations

import pytest

from sparkml_track.sql import Engine, open_engine
from sparkml_track.testing.sql import EnginesCase


class TestDuckdb(EnginesCase):
    @pytest.fixture
    def engine(self) -> Engine:
        return open_engine("duckdb")
