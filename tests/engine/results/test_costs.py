"""What a sweep took."""

from __future__ import annotations

from dataclasses import replace

import pytest

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


def test_used_wasted_and_idle_slot_seconds_have_a_price() -> None:
    results = [
        Result(0, {}, State.FINISHED, started=100.0, duration=3000.0),
        Result(1, {}, State.FAILED, started=100.0, duration=600.0),
    ]
    metrics = costs_of(results, idle=1800.0, price=0.4).metrics()
    assert (metrics["slot_seconds_used"], metrics["slot_seconds_wasted"]) == (3600.0, 600.0)
    assert (metrics["slot_seconds_idle"], metrics["cost"]) == (1800.0, pytest.approx(0.6))


def test_without_a_price_there_is_no_cost_and_what_is_not_known_is_not_zero() -> None:
    free = costs_of([Result(0, {}, State.FINISHED, started=100.0, duration=3600.0)])
    assert free.cost is None
    assert not {"cost", "slot_seconds_idle"} & free.metrics().keys()
    assert replace(free, price=2.0).cost == 2.0
    assert replace(free, price=0.0).metrics()["cost"] == 0.0


def test_nothing_costs_nothing() -> None:
    assert costs_of([]) == Costs(0.0, 0.0, 0.0, 0, 0.0)
