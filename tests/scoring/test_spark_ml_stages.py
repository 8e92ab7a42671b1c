"""Stages that leave rows out are found wherever they are in a model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sparkml_track.errors import NotBuilt
from sparkml_track.refs import ModelRef
from sparkml_track.scoring._spark_ml import spark_work

SKIPS = SimpleNamespace(getHandleInvalid=lambda: "skip")
KEEPS = SimpleNamespace(getHandleInvalid=lambda: "keep")


@pytest.mark.parametrize(
    "model",
    [
        SKIPS,
        SimpleNamespace(stages=[KEEPS, SKIPS]),
        SimpleNamespace(stages=[SimpleNamespace(stages=[SKIPS]), KEEPS]),
        SimpleNamespace(bestModel=SimpleNamespace(stages=[SKIPS])),
        SimpleNamespace(stages=[SimpleNamespace(bestModel=SKIPS), KEEPS]),
    ],
)
def test_a_stage_that_leaves_rows_out_is_refused(model: Any) -> None:
    with pytest.raises(NotBuilt, match="leaves rows out"):
        spark_work(model, None, [], {}, ModelRef("delay", 1, "", ""))  # type: ignore[arg-type]
