"""Whether a task runs, from what became of those it needs: the rules of Databricks' ``run_if``.

A task that was excluded counts as one that succeeded; where all were, so is the one that needs them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sparkml_track.jobs.course.states import TaskState

__all__ = ["verdict"]


def verdict(when: str, needed: Sequence[TaskState]) -> TaskState | None:
    """What a task becomes: ``WAITING`` where it may run, an ended state where it will not, None while nobody knows.

    Args:
        when: the rule, one of ``config.sections.jobs.WHENS``.
        needed: the states of the tasks that it needs.
    """
    if not all(state.ended for state in needed):
        return None
    if needed and set(needed) == {TaskState.EXCLUDED}:
        return TaskState.EXCLUDED
    succeeded = sum(state.well for state in needed)
    if _holds(when, succeeded, len(needed) - succeeded):
        return TaskState.WAITING
    # What is for failures is not needed where there are none; everything else is missed.
    return TaskState.EXCLUDED if when.endswith("failed") and when != "none_failed" else TaskState.UPSTREAM_FAILED


def _holds(when: str, succeeded: int, failed: int) -> bool:
    if when in ("all_success", "none_failed"):
        return not failed
    if when == "at_least_one":
        return succeeded > 0
    if when == "at_least_one_failed":
        return failed > 0
    if when == "all_failed":
        return not succeeded
    return True
