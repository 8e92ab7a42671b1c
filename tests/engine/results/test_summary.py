from __future__ import annotations

import itertools
import json
import math
import random
import statistics
import time
from dataclasses import replace

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkml_track.engine.results.summary import Result, Tally, summarise, trials_table
from sparkml_track.goal import Goal, goals_of
from sparkml_track.trial import Counts, State

ONE = ((Goal(),),)
numbers = st.floats(allow_nan=True, allow_infinity=True, width=32) | st.sampled_from([0.0, 1.0, 2.0])


def finished(number: int, *value: float, **metrics: float) -> Result:
    return Result(number, {"lr": 0.1}, State.FINISHED, {"loss": value[0], **metrics}, value)


def test_counts_add_up_to_what_was_planned() -> None:
    states = [State.FINISHED, State.FINISHED, State.PRUNED, State.FAILED, State.KILLED]
    results = [Result(number, {}, state) for number, state in enumerate(states)]
    summary = summarise(results, 10, 2, *ONE)
    assert summary.counts == Counts(10, finished=2, pruned=1, failed=1, killed=1, running=2, not_started=3)


def test_more_trials_than_planned_and_trials_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="1 trials are planned, but 1 ended and 1 are running"):
        summarise([finished(0, 1.0)], 1, 1, *ONE)
    with pytest.raises(ValueError, match="trial 0 is finished, or was added before"):
        summarise([finished(0, 1.0), finished(0, 2.0)], 5, 0, *ONE)
    with pytest.raises(ValueError, match="trial 0 is running"):
        Tally(*ONE).add(Result(0, {}, State.RUNNING))


@pytest.mark.parametrize(("direction", "best"), [("minimize", 3), ("maximize", 2)])
def test_the_best_is_finite_finished_and_of_the_lowest_number_among_equals(direction: str, best: int) -> None:
    results = [
        finished(0, math.nan),
        finished(1, -math.inf),
        finished(2, 5.0),
        finished(3, 1.0),
        finished(4, 1.0),
        finished(5, 5.0),
        finished(6, math.inf),
        Result(7, {}, State.PRUNED, {"loss": -9.0}, (-9.0,)),
        Result(8, {}, State.FAILED, {}, None),
    ]
    for order in (results, results[::-1]):
        summary = summarise(order, 9, 0, goals_of(("loss",), (direction,)))
        assert summary.best is not None
        assert summary.best.number == best
        assert summary.pareto is None


def test_without_a_finite_result_there_is_no_best() -> None:
    assert summarise([finished(0, math.nan)], 1, 0, *ONE).best is None
    assert summarise([], 1, 0, *ONE).best is None


@given(st.lists(st.tuples(numbers, numbers, numbers), max_size=25), st.sampled_from([2, 3]))
def test_the_pareto_front_is_what_comparing_all_pairs_gives(points: list[tuple[float, ...]], size: int) -> None:
    ways = ("minimize", "maximize", "minimize")[:size]
    signs = (1, -1, 1)
    results = [finished(number, *point[:size]) for number, point in enumerate(points)]
    losses = {
        one.number: tuple(s * v for s, v in zip(signs, one.value or (), strict=False))
        for one in results
        if all(map(math.isfinite, one.value or ()))
    }
    expected = [
        a
        for a in losses
        if not any(
            all(x <= y for x, y in zip(losses[b], losses[a], strict=True)) and (losses[b] != losses[a] or b < a)
            for b in losses
            if b != a
        )
    ]
    summary = summarise(results, len(results), 0, goals_of(("a", "b", "c")[:size], ways))
    assert [one.number for one in summary.pareto or ()] == expected
    assert summary.best is None


def test_aggregates_are_of_finite_values_of_finished_trials() -> None:
    values = [3.0, 1.0, 2.0, 10.0]
    results = [finished(number, value) for number, value in enumerate(values)]
    results += [finished(4, math.nan), finished(5, math.inf), Result(6, {}, State.PRUNED, {"loss": 99.0})]
    one = summarise(results, 7, 0, *ONE).aggregates["loss"]
    assert (one.count, one.mean, one.min, one.max) == (4, 4.0, 1.0, 10.0)
    assert one.std == pytest.approx(statistics.pstdev(values))


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
def test_percentiles_are_those_of_numpy(values: list[float]) -> None:
    one = summarise([finished(n, value) for n, value in enumerate(values)], len(values), 0, *ONE).aggregates["loss"]
    ours = (one.min, one.p05, one.p25, one.p50, one.p75, one.p95, one.max)
    assert ours == pytest.approx(numpy.percentile(values, [0, 5, 25, 50, 75, 95, 100]), rel=1e-9, abs=1e-9)
    assert list(ours) == sorted(ours)


def test_aggregates_of_the_largest_floats_do_not_overflow() -> None:
    one = summarise([finished(n, 1.7e308) for n in range(4)], 4, 0, *ONE).aggregates["loss"]
    assert one.mean == pytest.approx(1.7e308)


def test_the_order_of_results_does_not_show() -> None:
    rng = random.Random(1)
    results = [finished(number, rng.gauss(0, 1e9), auc=rng.random()) for number in range(50)]
    first = summarise(results, 50, 0, *ONE)
    rng.shuffle(results)
    assert summarise(results, 50, 0, *ONE) == first


def test_the_digest_tells_every_change_of_trial_state_and_value() -> None:
    results = [finished(number, float(number)) for number in range(3)]
    changes = [
        results,
        results[:2],
        [*results[:2], replace(results[2], value=(2.5,))],
        [*results[:2], replace(results[2], value=(math.nan,))],
        [*results[:2], replace(results[2], state=State.PRUNED)],
        [*results[:2], replace(results[2], number=7)],
    ]
    digests = [summarise(one, 9, 0, *ONE).digest for one in changes]
    assert len(set(digests)) == len(changes)
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.slow
def test_a_hundred_thousand_trials_one_at_a_time_stay_quick() -> None:
    rng = random.Random(0)
    tally = Tally((Goal("a"), Goal("b")))
    start = time.process_time()
    for number in range(100_000):
        # The worst case of a front: every trial is on it.
        a = rng.random()
        tally.add(finished(number, a, 1 - a))
    summary = tally.summary(100_000)
    assert len(summary.pareto or ()) == 100_000
    assert time.process_time() - start < 20


def test_the_trials_table_is_read_by_pandas_and_keeps_what_json_can() -> None:
    pandas = pytest.importorskip("pandas")
    results = [
        Result(1, {"model": {"kind": "forest", "depth": 3}}, State.FINISHED, {"loss": math.nan, "auc": 0.5}, (0.5,)),
        Result(0, {"lr": 0.1}, State.FAILED, reason="exception", message="</script>"),
    ]
    text = trials_table(results)
    table = json.loads(text, parse_constant=pytest.fail)
    assert table["columns"][:3] == ["number", "state", "value"]
    frame = pandas.DataFrame(table["data"], columns=table["columns"]).set_index("number")
    assert list(frame.index) == [0, 1]
    assert frame.loc[1, "params.model.kind"] == "forest"
    assert frame.loc[1, "metrics.auc"] == 0.5
    assert frame["metrics.loss"].isna().all()
    assert frame.loc[0, "reason"] == "exception"


def test_the_trials_table_of_several_objectives_has_a_column_for_each() -> None:
    table = json.loads(trials_table([finished(0, 1.0, 2.0), Result(1, {}, State.KILLED)]))
    assert {"value_0", "value_1"} <= set(table["columns"])
    assert len(set(itertools.chain.from_iterable([table["columns"]]))) == len(table["columns"])


@pytest.mark.parametrize("extreme", [1e200, 1e308, -1.7e308, 1e-320])
def test_a_diverged_metric_costs_no_summary(extreme: float) -> None:
    results = [Result(n, {}, State.FINISHED, {"loss": v}, (v,)) for n, v in enumerate([0.0, 1.0, extreme, -extreme])]
    aggregate = summarise(results, 4, 0, *ONE).aggregates["loss"]
    assert aggregate.max == max(1.0, extreme, -extreme)
    assert aggregate.std > 0
