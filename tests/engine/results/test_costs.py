"""What a sweep took."""

from __future__ import annotations

from sparkml_track.engine.results.costs import Costs, costs_of
from sparkml_track.engine.results.summary import Result
from sparkml_track.trial import State


def test_used_wasted_and_lost_are_apart() -> None:
    results = [
        Result(0, {}, State.FINISHED, started=100.0, duration=4.0),
        Result(1, {}, State.FAILED, started=101.0, duration=2.0, attempts=3),
        Result(2, {}, State.PRUNED, started=103.0, duration=1.0),
        Result(3, {}, State.KILLED, started=104.0, duration=6.0, attempts=2),
        Result(4, {}, State.KILLED, reason="cancelled"),
    ]
    assert costs_of(results) == Costs(wall=10.0, used=13.0, wasted=8.0, lost=3, slowest=6.0, slowest_trial=3)


def test_nothing_costs_nothing() -> None:
    assert costs_of([]) == Costs(0.0, 0.0, 0.0, 0, 0.0)
