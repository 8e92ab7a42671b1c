"""Which column has drifted, since when, and how a person reads it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from sparkml_track.monitoring import DRIFT, FEW, OK, Drift
from sparkml_track.monitoring._judging.verdicts import verdicts


def moved(window: str, verdict: str, column: str = "wind", **more: Any) -> Drift:
    values: dict[str, Any] = {each.name: 0.0 for each in fields(Drift)} | {"psi": 0.4, "slice_key": None}
    return Drift(**(values | {"column": column, "window": window, "verdict": verdict} | more))


@pytest.mark.parametrize(
    ("found", "earlier", "since", "windows"),
    [
        ([OK, DRIFT, DRIFT], {}, "2", 2),
        ([DRIFT, DRIFT, DRIFT], {}, "1", 3),
        ([DRIFT, OK, DRIFT], {}, "3", 1),
        ([DRIFT, FEW, DRIFT], {}, "1", 2),
        ([DRIFT, DRIFT, FEW], {}, "1", 2),
        ([DRIFT], {"0": DRIFT, "-1": OK}, "0", 2),
        ([DRIFT], {"0": OK, "-1": DRIFT}, "1", 1),
        ([DRIFT], {"0": FEW, "-1": DRIFT}, "-1", 2),
        ([DRIFT], {"1": OK, "5": OK}, "1", 1),
        ([DRIFT, OK], {"0": DRIFT}, None, 0),
    ],
)
def test_a_row_of_alarms_begins_with_its_first_window_of_any_run(
    found: list[str], earlier: dict[str, str], since: str | None, windows: int
) -> None:
    drifts = [moved(str(place), verdict) for place, verdict in enumerate(found, start=1)]
    known = {("wind", window): verdict for window, verdict in earlier.items()} | {("other", "0"): DRIFT}
    (verdict,) = verdicts(drifts, known)
    assert (verdict.since, verdict.windows) == (since, windows)


def test_columns_that_could_not_be_judged_have_no_verdict_and_alarms_come_first() -> None:
    found = [
        moved("1", OK, "calm"),
        moved("1", FEW, "thin"),
        moved("1", DRIFT, "some"),
        moved("1", DRIFT, "much", psi=0.9),
    ]
    assert [each.column for each in verdicts(found, {})] == ["much", "some", "calm"]


def test_a_verdict_reads_as_a_sentence() -> None:
    drifts = [moved("10", DRIFT), moved("11", DRIFT, mean_change=1.25, null_change=0.031, score_share=0.62)]
    assert str(verdicts(drifts, {})[0]) == (
        "wind has drifted since 10, 2 windows in a row (PSI 0.40, mean +1.25, nulls +3.1%; explains 62% of the score's "
        "change)"
    )
    nan = math.nan
    (text,) = verdicts([moved("11", DRIFT, mean_change=nan, null_change=0.0, score_share=nan)], {})
    assert str(text) == "wind has drifted since 11 (PSI 0.40)"
    assert str(verdicts([moved("11", OK)], {})[0]) == "wind is as in the baseline in 11 (PSI 0.40)"
