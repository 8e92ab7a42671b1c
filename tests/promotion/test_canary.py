"""Whether a challenger is as good as the champion on rows that were served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss

from sparkml_track.errors import DataError, InvalidInput, SpecError
from sparkml_track.promotion import Labelled, decisions, look, rivals, rollback, settle
from sparkml_track.promotion._canary import PROMOTE, WAIT, WITHDRAW, Canary, Seen, judge
from sparkml_track.registries import MemoryRegistry
from tests.promotion.test_moves import NAME, version

SPEC = Canary(min_rows=100)


def seen(count: int, skill: float, seed: int, first: int = 0) -> Seen:
    """Rows whose scores know the label as well as ``skill`` says, from 0 to 1."""
    random = np.random.default_rng(seed)
    chance = random.uniform(0.05, 0.95, count)
    labels = (random.random(count) < chance).astype(float)
    scores = skill * chance + (1 - skill) * 0.5
    return Seen(np.array([str(first + n) for n in range(count)], object), scores, labels)


def shadow(of: Seen, skill: float) -> Seen:
    """The same rows, scored by another."""
    return Seen(of.keys, of.scores * skill + (1 - skill) * 0.5, of.labels)


def test_a_better_challenger_is_promoted_and_a_worse_one_withdrawn() -> None:
    strong, weak = seen(3000, 1.0, 1), seen(3000, 0.1, 2, first=9000)
    assert judge(SPEC, weak, strong).state == PROMOTE
    assert judge(SPEC, strong, weak).state == WITHDRAW


def test_figures_are_those_of_scikit_learn() -> None:
    one, two = seen(400, 0.9, 3), seen(300, 0.8, 4, first=9000)
    found = judge(SPEC, one, two)
    assert found.champion == pytest.approx(log_loss(one.labels, one.scores))
    assert found.challenger == pytest.approx(log_loss(two.labels, two.scores))
    assert (found.rows, found.paired) == (300, False)
    assert found.low < found.challenger - found.champion < found.high


def test_nothing_is_said_of_few_rows() -> None:
    found = judge(SPEC, seen(3000, 1.0, 1), seen(99, 0.0, 2, first=9000))
    assert (found.state, np.isnan(found.low)) == (WAIT, True)
    assert "99 rows of the challenger and 3000 of the champion have a label, 100 are needed" in found.reason
    assert judge(SPEC, seen(0, 1.0, 1), seen(0, 1.0, 1)).state == WAIT


def test_a_shadow_needs_far_fewer_rows() -> None:
    champion = seen(1000, 0.8, 5)
    other = seen(1000, 0.72, 6, first=9000)
    paired = judge(SPEC, champion, shadow(champion, 0.9))
    assert (paired.state, paired.paired) == (WITHDRAW, True)
    assert judge(SPEC, champion, other).state == WAIT


def test_after_the_most_rows_the_better_mean_decides() -> None:
    one, two = seen(500, 0.8, 7), seen(500, 0.8, 8, first=9000)
    assert judge(SPEC, one, two).state == WAIT
    found = judge(Canary(min_rows=100, max_rows=500), one, two)
    better = found.challenger <= found.champion
    assert found.state == (PROMOTE if better else WITHDRAW)
    assert "500 rows were to decide" in found.reason


def test_looking_each_day_errs_no_more_often_than_stated() -> None:
    """Equal versions, looked at after each 100 rows up to 3,000; an interval of one look errs in a quarter of them."""
    random, runs, wrong, naive = np.random.default_rng(11), 200, 0, 0
    for _ in range(runs):
        losses = random.exponential(size=(2, 3000))
        keys = np.arange(6000).astype(str).astype(object)
        spec = Canary("absolute_error", min_rows=100)
        looks = [judge(spec, *(part(keys, losses, n, rows) for n in (0, 1))) for rows in range(100, 3001, 100)]
        wrong += any(found.low > 0 or found.high < 0 for found in looks)
        naive += any(abs(each.challenger - each.champion) > 1.96 * (2 / each.rows) ** 0.5 for each in looks)
    assert wrong / runs <= spec.alpha < 0.2 < naive / runs


def part(keys: Any, losses: Any, of: int, rows: int) -> Seen:
    return Seen(keys[of * 3000 : of * 3000 + rows], losses[of, :rows], np.zeros(rows))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "accuracy"}, "loss is 'accuracy', allowed are log_loss"),
        ({"tolerance": -1.0}, "tolerance is -1.0"),
        ({"min_rows": 1}, "min_rows is 1"),
        ({"min_rows": 10, "max_rows": 5}, "max_rows 5"),
        ({"alpha": 1.0}, "alpha is 1.0"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Canary(**changes)


def test_scores_and_labels_that_are_none_are_named() -> None:
    keys = np.array(["a", "b"], object)
    good = Seen(keys, np.array([0.1, 0.9]), np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="1 scores are not finite"):
        judge(SPEC, good, Seen(keys, np.array([0.1, np.nan]), good.labels))
    with pytest.raises(DataError, match=r"a score is 1\.5, log_loss takes probabilities"):
        judge(SPEC, good, Seen(keys, np.array([0.1, 1.5]), good.labels))
    with pytest.raises(DataError, match="a label is 7, log_loss takes 0 and 1"):
        judge(SPEC, good, Seen(keys, good.scores, np.array([0.0, 7.0])))


# -- the whole look


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    for _ in range(2):
        version(registry)
    registry.set_alias(NAME, "champion", 1)
    registry.set_alias(NAME, "challenger", 2)
    return registry


def served(*parts: tuple[int, Seen], days: tuple[int, ...] = (1, 1)) -> pa.Table:
    columns = {"flight": [], "model_version": [], "score": [], "scored_at": []}  # type: dict[str, list[Any]]
    for (number, rows), day in zip(parts, days, strict=False):
        columns["scored_at"] += [datetime(2013, 12, day, tzinfo=UTC)] * len(rows.keys)
        columns["flight"] += [int(key) for key in rows.keys]
        columns["model_version"] += [number] * len(rows.keys)
        columns["score"] += list(rows.scores)
    return pa.table(columns)


def labelled(*parts: Seen) -> Labelled:
    keys = [int(key) for rows in parts for key in rows.keys]
    table = pa.table({"flight": keys, "late": [bool(label) for rows in parts for label in rows.labels]})
    return Labelled(table, ("flight",), "late")


WEAK, STRONG = seen(3000, 0.1, 2, first=9000), seen(3000, 1.0, 1)


def test_a_challenger_that_proves_itself_is_champion(registry: MemoryRegistry) -> None:
    who = rivals(registry, NAME)
    judged = look(SPEC, who, served((1, WEAK), (2, STRONG)), labelled(WEAK, STRONG))
    assert (judged.state, judged.rows) == (PROMOTE, 3000)
    assert settle(registry, who, judged)
    assert (registry.alias(NAME, "champion"), registry.alias(NAME, "challenger")) == (who.challenger, None)
    assert rollback(registry, NAME) == (who.challenger, who.champion)


def test_a_challenger_that_harms_is_withdrawn(registry: MemoryRegistry) -> None:
    who = rivals(registry, NAME)
    judged = look(SPEC, who, served((1, STRONG), (2, WEAK)), labelled(STRONG, WEAK))
    assert settle(registry, who, judged)
    assert (registry.alias(NAME, "champion"), registry.alias(NAME, "challenger")) == (who.champion, None)
    (made,) = decisions(registry.tags(who.challenger))
    assert (made.what, registry.tags(who.challenger)["sparkml.approval"]) == ("withdrawn by canary", "withdrawn")


def test_the_champion_is_looked_at_in_the_challengers_time_alone(registry: MemoryRegistry) -> None:
    """What it served in easier weeks says nothing of these."""
    before, during = STRONG, seen(3000, 0.1, 4, first=20_000)
    rows = served((1, before), (1, during), (2, WEAK), days=(1, 2, 2))
    judged = look(SPEC, rivals(registry, NAME), rows, labelled(before, during, WEAK))
    assert judged.champion == pytest.approx(log_loss(during.labels, during.scores))
    assert judged.state == WAIT


def test_labels_that_are_not_there_yet_leave_everything(registry: MemoryRegistry) -> None:
    who, rows = rivals(registry, NAME), served((1, WEAK), (2, STRONG))
    some = labelled(WEAK)
    table = pa.table({"flight": [*range(50), 7000], "late": [True] * 50 + [None]})
    judged = look(SPEC, who, rows, Labelled(pa.concat_tables([some.table, table]), some.on, some.label))
    assert (judged.state, judged.rows) == (WAIT, 50)
    assert not settle(registry, who, judged)
    assert registry.alias(NAME, "challenger") == who.challenger


def test_a_row_that_was_asked_twice_counts_once_and_one_without_a_score_not(registry: MemoryRegistry) -> None:
    rows = pa.table({"flight": [1, 1, 2, 3], "model_version": [2, 2, 2, 1], "score": [0.5, 0.9, None, 0.5]})
    rows = rows.append_column("scored_at", pa.array([datetime(2013, 12, 1, tzinfo=UTC)] * 4))
    labels = Labelled(pa.table({"flight": pa.array([1, 2, 3], pa.int32()), "late": [1, 1, 0]}), ("flight",), "late")
    judged = look(SPEC, rivals(registry, NAME), rows, labels)
    assert (judged.rows, judged.challenger) == (1, pytest.approx(np.log(2)))


def test_what_cannot_be_looked_at_is_named(registry: MemoryRegistry) -> None:
    who, rows = rivals(registry, NAME), served((1, WEAK), (2, STRONG))
    with pytest.raises(DataError, match="the labels have no column late; they have flight"):
        look(SPEC, who, rows, Labelled(pa.table({"flight": [1]}), ("flight",), "late"))
    with pytest.raises(DataError, match="2 rows of the labels have a key"):
        look(SPEC, who, rows, Labelled(pa.table({"flight": [1, 1, 1], "late": [1, 0, 1]}), ("flight",), "late"))
    lists = rows.set_column(2, "score", pa.array([[0.5]] * len(rows)))
    with pytest.raises(DataError, match="score of the served rows is list<item: double>, it must be numbers"):
        look(SPEC, who, lists, labelled(WEAK))
    words = Labelled(pa.table({"flight": [9000], "late": ["yes"]}), ("flight",), "late")
    with pytest.raises(DataError, match="late of the labels is string, it must be numbers or booleans"):
        look(SPEC, who, rows, words)
    named = Labelled(pa.table({"flight": ["UA 1"], "late": [1]}), ("flight",), "late")
    with pytest.raises(DataError, match="flight is int64 in the served rows and string in the labels"):
        look(SPEC, who, rows, named)
    registry.drop_alias(NAME, "challenger")
    with pytest.raises(InvalidInput, match="has no challenger in memory:"):
        rivals(registry, NAME)
