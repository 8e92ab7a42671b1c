"""Which values of a column a baseline or a label names; what windows are called."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sparkml_track.errors import DataError, SpecError
from sparkml_track.monitoring import ByTime
from sparkml_track.monitoring._counting.windows import literal, name_windows
from sparkml_track.scoring import Period


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "R&D (south)", "R&D (south)"),
        ("string", 1, "1"),
        ("boolean", True, True),
        ("boolean", np.True_, True),
        ("boolean", "false", False),
        ("int", "30", 30),
        ("bigint", np.int64(7), 7),
        ("bigint", 2**62 + 1, 2**62 + 1),
        ("smallint", 3.0, 3),
        ("double", 10_000_000_000, 1e10),
        ("float", "1e10", 1e10),
        ("decimal(10,2)", "1.50", Decimal("1.50")),
        ("date", date(2013, 1, 2), "2013-01-02"),
        ("date", "2013-01-02", "2013-01-02"),
        ("timestamp", datetime(2013, 1, 2, 3, tzinfo=UTC), "2013-01-02 03:00:00+00:00"),
        ("timestamp", "2013-01-02T03:00:00Z", "2013-01-02 03:00:00+00:00"),
        ("timestamp_ntz", datetime.fromisoformat("2013-01-02T03:00"), "2013-01-02 03:00:00"),
    ],
)
def test_a_value_is_compared_in_the_type_of_its_column(kind: str, value: object, expected: object) -> None:
    found = literal("c", kind, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", True),
        ("boolean", 2),
        ("boolean", "yes"),
        ("int", 1.5),
        ("int", "x"),
        ("bigint", 2**63),
        ("int", float("inf")),
        ("double", "x"),
        ("double", None.__class__),
        ("decimal(10,2)", float("nan")),
        ("date", datetime(2013, 1, 2, 3, tzinfo=UTC)),
        ("timestamp", datetime.fromisoformat("2013-01-02")),
        ("timestamp", "soon"),
        ("array<int>", 1),
    ],
)
def test_a_value_that_no_row_can_have_is_refused_by_name(kind: str, value: Any) -> None:
    with pytest.raises(DataError, match="can be no value of column 'c'"):
        literal("c", kind, value)


def test_rows_without_a_value_are_a_window_apart_from_any_text() -> None:
    named = name_windows(["+n", "-vnull", "-v(null)", "-v"])
    assert [named[tag].label for tag in ("+n", "-vnull", "-v(null)", "-v")] == ["((null))", "null", "(null)", ""]
    assert name_windows(["+n"])["+n"].label == "null"


@pytest.mark.parametrize("stretch", [ByTime, Period])
def test_a_stretch_of_time_has_a_time_zone_and_a_length(stretch: Any) -> None:
    args = ("at", "day") if stretch is ByTime else ("at",)
    naive, aware = datetime.fromisoformat("2013-01-01"), datetime(2013, 1, 2, tzinfo=UTC)
    with pytest.raises(SpecError, match="start is 2013-01-01 00:00:00, it must have a time zone"):
        stretch(*args, naive, aware)
    with pytest.raises(SpecError, match="it must be after its start"):
        stretch(*args, aware, aware)
