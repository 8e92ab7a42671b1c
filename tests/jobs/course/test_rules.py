from __future__ import annotations

import itertools

import pytest

from sparkml_track.config.sections.jobs import WHENS
from sparkml_track.jobs.course.rules import verdict
from sparkml_track.jobs.course.states import TaskState as S

#: What becomes of a task whose needs are [both succeeded, one of two failed, both failed].
TABLE = {
    "all_success": (S.WAITING, S.UPSTREAM_FAILED, S.UPSTREAM_FAILED),
    "at_least_one": (S.WAITING, S.WAITING, S.UPSTREAM_FAILED),
    "none_failed": (S.WAITING, S.UPSTREAM_FAILED, S.UPSTREAM_FAILED),
    "all_done": (S.WAITING, S.WAITING, S.WAITING),
    "at_least_one_failed": (S.EXCLUDED, S.WAITING, S.WAITING),
    "all_failed": (S.EXCLUDED, S.EXCLUDED, S.WAITING),
}


@pytest.mark.parametrize("when", WHENS)
def test_a_rule_looks_at_what_became_of_the_needed(when: str) -> None:
    needed = ([S.SUCCEEDED, S.SUCCEEDED], [S.SUCCEEDED, S.FAILED], [S.FAILED, S.UPSTREAM_FAILED])
    assert tuple(verdict(when, each) for each in needed) == TABLE[when]


@pytest.mark.parametrize("when", WHENS)
def test_nobody_knows_while_one_has_not_ended(when: str) -> None:
    for ended, other in itertools.product(S, (S.WAITING, S.RUNNING)):
        assert verdict(when, [ended, other]) is None


@pytest.mark.parametrize("when", WHENS)
def test_where_all_were_excluded_so_is_the_next(when: str) -> None:
    assert verdict(when, [S.EXCLUDED, S.EXCLUDED]) is S.EXCLUDED


def test_one_that_was_excluded_counts_as_one_that_succeeded() -> None:
    assert verdict("all_success", [S.EXCLUDED, S.SUCCEEDED]) is S.WAITING
    assert verdict("at_least_one", [S.EXCLUDED, S.FAILED]) is S.WAITING
    assert verdict("all_failed", [S.EXCLUDED, S.FAILED]) is S.EXCLUDED


def test_without_needs_a_task_runs() -> None:
    assert verdict("all_success", []) is S.WAITING
