from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparkml_track.sql import Engine, open_engine
from sparkml_track.testing.sql import EnginesCase

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


class TestSpark(EnginesCase):
    @pytest.fixture
    def engine(self, spark: SparkSession) -> Engine:
        return open_engine("spark", spark)
