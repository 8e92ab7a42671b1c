from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sparkml_track.tables._delta.rewrite.pruning import Range, matcher, may_match, ranges

TYPES = {"n": "long", "s": "string", "d": "date", "at": "timestamp", "m": "decimal(10,2)", "x": "double"}


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ("n = 5", [Range("n", 5, 5)]),
        ("target.n >= -3 and `s` < 'b and c'", [Range("n", low=-3), Range("s", high="b and c")]),
        (
            "d > '2013-01-31' AND d <= date '2013-02-28'",
            [Range("d", low=date(2013, 1, 31)), Range("d", high=date(2013, 2, 28))],
        ),
        ("m = 1.5", [Range("m", Decimal("1.5"), Decimal("1.5"))]),
        ("at < '2013-01-01T00:00:00+00:00'", [Range("at", high=datetime(2013, 1, 1, tzinfo=UTC))]),
        # What may mean something else excludes nothing.
        ("n = 5 or n = 6", []),
        ("not n = 5", []),
        ("n between 1 and 2", []),
        ("(n = 1) and s = 'a'", []),
        ("n = 1.5", []),
        ("x = 1", []),
        ("at < '2013-01-01'", []),
        ("s = 'a\\' and n = 1", []),
        ("s = 'it''s'", []),
        ('n = 1 -- and s = "b"', []),
        ("n != 5", []),
        ("nosuch = 5", []),
        ("s = 'a", []),
        ("n + 1 = 5", []),
        (None, []),
    ],
)
def test_only_what_is_understood_asks_for_ranges(condition: str | None, asked: list[Range]) -> None:
    assert list(ranges(condition, TYPES)) == asked


def test_a_file_is_left_out_only_if_its_bounds_exclude_a_match() -> None:
    asked = (Range("n", low=10, high=20),)
    assert may_match(asked, {"n": 20}, {"n": 30})
    assert not may_match(asked, {"n": 21}, {"n": 30})
    assert not may_match(asked, {"n": 1}, {"n": 9})
    assert may_match(asked, {}, {"n": 9})
    assert may_match(asked, {"n": "x"}, {"n": "y"})


def test_bounds_of_moments_that_were_cut_to_milliseconds_still_hold() -> None:
    moment = datetime(2013, 1, 1, 0, 0, 0, 123456, UTC)
    cut = moment.replace(microsecond=123000)
    assert may_match((Range("at", moment, moment),), {"at": cut}, {"at": cut})


def test_files_of_other_commits_are_judged_by_their_statistics_and_partitions() -> None:
    judge = matcher((Range("n", 5, 5), Range("d", low=date(2013, 1, 1))), TYPES)

    def add(low: int, high: int, day: str) -> dict[str, object]:
        stats = json.dumps({"minValues": {"n": low}, "maxValues": {"n": high}})
        return {"path": "f", "stats": stats, "partitionValues": {"d": day}}

    assert judge(add(1, 9, "2013-01-01"))
    assert not judge(add(6, 9, "2013-01-01"))
    assert not judge(add(1, 9, "2012-12-31"))
    assert judge({"path": "f"})
