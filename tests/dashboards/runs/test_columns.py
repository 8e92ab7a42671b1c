"""Columns say what the history of a sweep says, whatever happened in it, in whatever portions it is read."""

from __future__ import annotations

import math
import random

import pytest

from sparkml_track.dashboards.runs.columns import Columns
from sparkml_track.dashboards.runs.seen import STATES, Seen
from sparkml_track.engine.records.codec import encode
from sparkml_track.engine.records.entries import written
from sparkml_track.engine.records.types import (
    Extended,
    JournalRecord,
    Late,
    Lost,
    Parent,
    Reported,
    Retried,
    Suggested,
    UnitAccepted,
)
from sparkml_track.engine.results.costs import costs_of
from sparkml_track.engine.results.history import History
from sparkml_track.errors import JournalError
from sparkml_track.space import flatten
from sparkml_track.trial import AttemptId, State, Usage
from tests.dashboards.runs.conftest import T, accepted, asked, plan, submitted, trial, whole


def seen(records: list[JournalRecord]) -> Seen:
    columns = Columns("sweep")
    for record in records:
        columns.add([encode(record)])
    return columns.seen()


def eventful(seed: int) -> list[JournalRecord]:
    """Losses, retries, reports, prunings, failures, usage, trials that never began, a second driver."""
    chance = random.Random(seed)
    records: list[JournalRecord] = [plan(max_trials=200), Parent("run", "1", T)]
    states = list(State)[1:]
    for number in range(150):
        records += [asked(number), submitted(number)]
        again = 1
        if chance.random() < 0.2:
            records += [Lost(AttemptId(number, 0, 1), "gone", True, "one", T), submitted(number, 2)]
            again = 2
        steps = chance.randrange(4)
        records += [
            Reported(AttemptId(number, 0, again), s, {"loss": 1 / (s + 1), "auc": 0.5}, T) for s in range(steps)
        ]
        if chance.random() < 0.1:
            records.append(Suggested(number, {"late": number}))
        if chance.random() < 0.9:
            usage = Usage(chance.random(), 1000 + number) if chance.random() < 0.5 else Usage(None, None)
            began = 0.0 if chance.random() < 0.05 else T + number
            more = {"attempts": again, "usage": usage, "started": began, "busy": chance.choice([None, 3.0])}
            records.append(accepted(number, chance.choice([None, math.nan, 0.5]), chance.choice(states), **more))
    over = [record.number for record in records if type(record).__name__ == "Accepted"]  # type: ignore[union-attr]
    records += [Retried(tuple(over[:5])), Late(3), Extended(300), Parent("run", "1", T + 500, None)]
    return records + [part for number in over[:3] for part in (submitted(number, 9), accepted(number, attempts=9))]


@pytest.mark.parametrize("seed", range(3))
def test_columns_say_what_the_history_says(seed: int) -> None:
    records = eventful(seed)
    found, past = seen(records), History.of(map(written, records))
    assert found.counts == past.counts
    by_number = sorted(past.results.values(), key=lambda one: one.number)
    assert [int(found.numbers[row]) for row in found.order] == list(past.results)
    for one in by_number:
        row = found.row_of(one.number)
        assert row is not None
        assert STATES[found.states[row]] is one.state
        assert found.params_of(row) == flatten(one.params)
        assert found.hosts[row] == one.host
        assert found.reasons[row] == one.reason
        assert found.messages.get(one.number, "") == one.message
        expected = {name: value for name, value in one.metrics.items() if not math.isnan(value)}
        assert found.metrics_of(row) == expected
    expected_costs = costs_of(by_number, past.idle, None)
    assert found.costs.metrics() == pytest.approx(expected_costs.metrics())
    assert found.costs.slowest_trial == expected_costs.slowest_trial
    assert found.curves == (past.curves.best(), past.curves.others(), past.curves.reported)
    assert (found.lost, found.late) == (sum(type(one) is Lost for one in records), 3)


def test_the_best_is_the_lowest_number_among_equals_and_each_improvement_is_known() -> None:
    values = [0.5, math.nan, 0.7, 0.3, 0.3, 0.2, math.inf]
    found = seen([plan(), *(part for n, value in enumerate(values) for part in trial(n, value))])
    (goal,) = found.goals
    assert found.best(goal) == 5
    assert found.improved(goal).tolist() == [0, 3, 5]
    assert found.ranked(goal).tolist() == [5, 3, 4, 0, 2]


def test_what_is_at_work_are_attempts_that_were_submitted_and_have_not_ended() -> None:
    records = [plan(), *(part for n in range(4) for part in (asked(n), submitted(n)))]
    assert seen(records).at_work == 4
    records += [accepted(0), Lost(AttemptId(1, 0, 1), "gone", True, "", T)]
    found = seen(records)
    assert (found.at_work, found.most) == (2, 4)
    assert seen([*records, Parent("run", "1", T)]).at_work == 0


def test_units_of_a_trial_are_at_work_each_until_the_trial_has_ended() -> None:
    described = plan(units={"count": 3})
    records = [described, asked(0), *(submitted(0, unit=unit) for unit in range(3))]
    assert seen(records).at_work == 3
    one = UnitAccepted(
        AttemptId(0, 1, 1), State.FINISHED, {"loss": 1.0}, T, 1.0, "one", "", "", "", "", False, Usage(None, None)
    )
    assert seen([*records, one]).at_work == 2
    assert seen([*records, one, accepted(0)]).at_work == 0


@pytest.mark.parametrize(
    ("values", "numbers"),
    [([1, 2.5], [1.0, 2.5]), ([1, True], None), (["1", 2], None), ([1, 10**400], None)],
    ids=["numbers", "truth", "text", "too great"],
)
def test_a_parameter_is_numbers_only_where_all_its_values_are(
    values: list[object], numbers: list[float] | None
) -> None:
    found = seen([plan(), *(asked(number, x=value) for number, value in enumerate(values))])
    given = found.numbers_of("x")
    assert (None if given is None else given.tolist()) == numbers
    assert found.numbers_of("x") is given
    assert found.numbers_of("another") is None


def test_a_sweep_at_one_look_does_not_change_with_what_is_added() -> None:
    columns = Columns("sweep")
    columns.add(map(encode, whole()[:-1]))
    before = columns.seen()
    columns.add([encode(each) for number in range(10, 200) for each in trial(number)])
    assert (len(before.states), before.over, len(before.params["x"])) == (10, 10, 10)
    assert columns.seen().over == 200


@pytest.mark.parametrize(
    "record",
    [
        ("asked", {"n": "0", "params": {}, "seed": 1}),
        ("asked", {"n": 1, "params": 3, "seed": 1}),
        ("asked", []),
        ("accepted", {"n": 0}),
        ("accepted", {"n": 0, "k": 1, "state": "great", "metrics": {}, "t": 0.0, "d": 1.0, "host": ""}),
        ("accepted", {"n": 0, "k": 1, "state": "finished", "metrics": {"loss": "x"}, "t": 0.0, "d": 1.0, "host": ""}),
        ("ended", {"state": 3}),
    ],
)
def test_a_record_that_is_not_as_it_should_be_is_a_sentence(record: tuple[str, object]) -> None:
    columns = Columns("sweep")
    columns.add([encode(plan()), encode(asked(0))])
    with pytest.raises(JournalError, match=f"a record of kind '{record[0]}' is not as this release writes it"):
        columns.add([record])  # type: ignore[list-item]


def test_kinds_of_later_releases_are_passed_over() -> None:
    columns = Columns("sweep")
    columns.add([encode(plan()), ("dreamt", {"of": "sheep"})])
    assert columns.seen().counts.not_started == 10


def test_any_rubbish_in_records_is_a_sentence_or_is_shown() -> None:
    """What a journal has was written by a driver, but nothing that it has may take a page with it."""
    chance = random.Random(3)
    good = [encode(record) for record in [*eventful(1)[:60], *whole()[-1:]]]
    values: list[object] = [None, [], {}, "x", -1, 2**80, 1.5, True, math.nan, ["a"], {"a": 1}, "7.0.2"]
    said = 0
    for _ in range(600):
        records = [(kind, dict(body)) for kind, body in good]
        _, body = records[chance.randrange(len(records))]
        body[chance.choice(sorted(body))] = chance.choice(values)
        columns = Columns("sweep")
        try:
            columns.add(records)
        except JournalError:
            said += 1
            continue
        found = columns.seen()
        assert found.counts is not None
        assert found.costs is not None
        assert found.failures is not None
        assert [found.best(goal) for goal in found.goals]
        assert [found.params_of(row) for row in range(len(found.states))]
    assert 0 < said < 600
