from __future__ import annotations

import math
import statistics
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from sparkml_track.features.aggregation import ranked
from sparkml_track.features.aggregation.parts import Latest, Ordered, Sums
from sparkml_track.features.aggregation.ranked import Ranked

FINITE = some.floats(allow_nan=False, allow_infinity=False)


@given(some.lists(some.integers(0, 30), max_size=60), some.data())
def test_values_that_come_and_go_stay_in_order(values: list[int], data: some.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranked, "_BLOCK", 4)
        found, wanted = Ranked(), []
        for value in values:
            found.add(value)
            wanted.append(value)
            if data.draw(some.booleans()):
                gone = data.draw(some.sampled_from(wanted))
                found.remove(gone)
                wanted.remove(gone)
            assert [found[place] for place in range(found.size)] == sorted(wanted)


@given(some.lists(FINITE, min_size=2, max_size=10), some.lists(some.floats(), max_size=10))
@example([2.276744853900184e297, 1.7976931348395484e308], [])
def test_sums_of_doubles_are_rounded_once(stays: list[float], goes: list[float]) -> None:
    sums = Sums("floating", 0, True)
    for value in [*goes, *stays]:
        sums.add(value)
    for value in goes:
        sums.remove(value)
    exact = list(map(Fraction, stays))
    assert sums.mean() == float(sum(exact) / len(exact))
    total = sum(exact)
    try:
        assert sums.total() == float(total)
    except OverflowError:
        assert sums.total() == (math.inf if total > 0 else -math.inf)
    try:
        assert sums.std() == pytest.approx(statistics.stdev(exact), rel=4e-16, abs=0)
    except OverflowError:
        assert sums.std() == math.inf


def test_sums_without_values_and_with_odd_ones() -> None:
    sums = Sums("floating", 0, True)
    assert (sums.total(), sums.mean(), sums.std()) == (None, None, None)
    sums.add(1e200)
    sums.add(-1e200)
    assert sums.std() == pytest.approx(math.sqrt(2) * 1e200)
    sums.add(math.inf)
    assert (sums.total(), sums.mean()) == (math.inf, math.inf)
    sums.add(-math.inf)
    assert math.isnan(sums.total()) and math.isnan(sums.std() or 0)
    tiny = Sums("floating", 0, True)
    tiny.add(5e-324)
    tiny.add(1.5e-323)
    assert (tiny.mean(), tiny.std()) == (1e-323, 5e-324)


def test_decimals_lose_no_digit() -> None:
    sums = Sums("decimal", 2, True)
    for text in ("999999999999999999999999999999999999.99", "0.01", "-0.02"):
        sums.add(Decimal(text))
    sums.remove(Decimal("0.01"))
    assert str(sums.total()) == "999999999999999999999999999999999999.97"


@given(some.lists(FINITE, min_size=1, max_size=8), some.floats(0, 1))
def test_a_quantile_lies_where_numpy_has_it(values: list[float], share: float) -> None:
    held = Ordered()
    for value in values:
        held.add(value)
    with np.errstate(all="ignore"):
        wanted = float(np.quantile(values, share))
    found = held.quantile(share)
    if math.isfinite(wanted):
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-300)


def test_nan_is_above_all_numbers() -> None:
    held = Ordered()
    for value in (math.nan, 2.0, math.inf):
        held.add(value)
    assert (held.at(0), held.quantile(0.0)) == (2.0, 2.0)
    assert math.isnan(held.at(-1)) and held.quantile(0.5) == math.inf
    held.remove(math.nan)
    assert held.at(-1) == math.inf


def test_of_two_events_at_one_time_the_one_known_later_is_the_latest() -> None:
    held = Latest()
    held.add(9.0, (5, 5))
    held.add(1.0, (5, 7))
    held.add(8.0, (4, 9))
    assert held.value() == 1.0
    held.add(math.nan, (5, 7))
    assert math.isnan(held.value())
    held.remove(math.nan, (5, 7))
    held.remove(1.0, (5, 7))
    assert held.value() == 9.0
