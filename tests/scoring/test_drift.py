"""Tables that changed since training are refused by the name of the column."""

from __future__ import annotations

import pytest

from sparkml_track.errors import DataError
from sparkml_track.registries import Column, Signature
from sparkml_track.scoring._drift import check_columns

SIGNATURE = Signature((Column("wind", "double"), Column("seats", "long"), Column("carrier", "string")), "predict")
GOOD = {"wind": "double", "seats": "bigint", "carrier": "string", "more": "array<int>"}


@pytest.mark.parametrize(
    "change",
    [{}, {"wind": "float"}, {"wind": "int"}, {"seats": "smallint"}, {"wind": "boolean"}, {"wind": "decimal(10,2)"}],
)
def test_columns_that_widen_and_columns_that_are_new_are_fine(change: dict[str, str]) -> None:
    check_columns(SIGNATURE, GOOD | change, "t@v1")


@pytest.mark.parametrize("change", [{"wind": "string"}, {"seats": "double"}, {"carrier": "int"}, {"seats": "boolean"}])
def test_a_retyped_column_is_named(change: dict[str, str]) -> None:
    ((name, kind),) = change.items()
    with pytest.raises(DataError, match=rf"t@v1 cannot be scored: column '{name}' is {kind}, the model takes"):
        check_columns(SIGNATURE, GOOD | change, "t@v1")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(DataError) as caught:
        check_columns(SIGNATURE, {"wind": "string", "carrier": "string"}, "t@v1")
    for part in ("'wind' is string", "'seats' (long) is missing"):
        assert part in str(caught.value)
