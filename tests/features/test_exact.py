from __future__ import annotations

import math
from fractions import Fraction

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as some

from sparkml_track.features.exact import ExactMeans, RunningSum

FINITE = some.floats(allow_nan=False, allow_infinity=False)


@given(some.lists(FINITE, min_size=1, max_size=20), some.lists(some.floats(), max_size=20))
def test_what_has_gone_leaves_nothing_behind(stays: list[float], goes: list[float]) -> None:
    total = RunningSum()
    for value in [*goes, *stays]:
        total.add(value)
    for value in goes:
        total.add(value, -1)
    exact = sum(map(Fraction, stays)) / len(stays)
    assert total.mean == float(exact)


def test_nan_and_infinities_count_while_they_are_there() -> None:
    total = RunningSum()
    total.add(1.0)
    total.add(math.inf)
    assert total.mean == math.inf
    total.add(-math.inf)
    assert total.mean is not None and math.isnan(total.mean)
    total.add(math.inf, -1)
    assert total.mean == -math.inf
    total.add(-math.inf, -1)
    assert total.mean == 1.0
    total.add(1.0, -1)
    assert total.mean is None


def test_the_means_of_a_key_begin_anew_and_go_on_over_batches() -> None:
    moves_of = pa.list_(pa.struct([("_w", pa.int32()), ("_v0", pa.float64())]))
    schema = pa.schema([("k", pa.string()), ("_first", pa.bool_()), ("_moves", moves_of)])

    def batch(rows: list[tuple[bool, list[tuple[int, float | None]]]]) -> pa.RecordBatch:
        moves = [[{"_w": window, "_v0": value} for window, value in changed] for _, changed in rows]
        columns = {"k": ["k"] * len(rows), "_first": [first for first, _ in rows], "_moves": moves}
        return pa.RecordBatch.from_pydict(columns, schema)

    batches = [
        batch([(True, [(-1, 1e17), (-1, 5.0)]), (False, [(0, 1e17)])]),
        batch([(False, [(0, 5.0), (-1, None)]), (True, [(-1, 7.0)])]),
    ]
    made = pa.Table.from_batches(list(ExactMeans(1, 2)(iter(batches))))
    assert made.column_names == ["k", "_x0_0", "_x0_1"]
    assert made["_x0_0"].to_pylist() == [(1e17 + 5) / 2, 5.0, None, 7.0]
    assert made["_x0_1"].to_pylist() == [(1e17 + 5) / 2, (1e17 + 5) / 2, (1e17 + 5) / 2, 7.0]
