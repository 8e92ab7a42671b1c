"""Features in the types that a model was fitted on."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from sparkml_track.errors import DataError
from sparkml_track.online_stores import in_types_of_model


def test_columns_are_narrowed_to_those_of_the_signature() -> None:
    frame = pd.DataFrame(
        {
            "wind": [10.1, np.nan],
            "seats": [7, 2**40 + 1],
            "fare": [Decimal("10.1"), None],
            "jet": pd.Series([True, None], dtype=object),
            "rank": [3, 4],
            "some": [1.0, np.nan],
            "name": ["a", None],
        }
    )
    kinds = dict.fromkeys(("wind", "seats", "fare"), "float") | {"jet": "boolean", "rank": "integer", "some": "long"}
    made = in_types_of_model(frame, kinds | {"name": "string"})
    assert [str(kind) for kind in made.dtypes] == ["float32"] * 3 + ["float64", "int32", "float64", "object"]
    assert made["wind"][0] == np.float32(10.1) == made["fare"][0]
    assert made["seats"][1] == np.float32(2**40 + 1)
    assert made["jet"].tolist()[0] == 1.0
    assert made["name"] is not None


def test_columns_that_fit_stay_the_same_object() -> None:
    frame = pd.DataFrame({"wind": np.array([1.0], "float32"), "seats": [7]})
    assert in_types_of_model(frame, {"wind": "float", "seats": "long"}) is frame


def test_a_value_that_is_none_is_a_sentence() -> None:
    with pytest.raises(DataError, match="the column 'wind' holds no float, which the model takes: could not convert"):
        in_types_of_model(pd.DataFrame({"wind": ["strong"]}), {"wind": "float"})
