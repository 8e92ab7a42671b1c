from __future__ import annotations

from sparkml_track.config.sections.jobs import TaskSettings
from sparkml_track.jobs.course.plan import Plan
from sparkml_track.jobs.course.states import TaskState as S


def task(**given: object) -> TaskSettings:
    return TaskSettings.model_validate({"python": "m:f"} | given)


def diamond(**last: object) -> Plan:
    return Plan(
        {
            "a": task(),
            "b": task(needs=("a",), retries=1, retry_wait=5.0),
            "c": task(needs=("a",)),
            "d": task(needs=("b", "c"), **last),
        }
    )


def test_tasks_become_ready_when_what_they_need_has_ended() -> None:
    plan = diamond()
    assert plan.ready(0) == ("a",)
    plan.begin("a")
    assert plan.ready(0) == ()
    plan.end("a", True, 0)
    assert plan.ready(0) == ("b", "c")


def test_a_task_that_failed_is_tried_again_when_its_wait_is_over() -> None:
    plan = diamond()
    plan.begin("a")
    plan.end("a", True, 0)
    assert plan.begin("b") == 1
    assert plan.end("b", False, 10.0)
    assert plan.wake() == 15.0
    assert plan.ready(14.9) == ("c",)
    assert "b" in plan.ready(15.0)
    assert plan.begin("b") == 2
    assert not plan.end("b", False, 20.0)
    assert plan.wake() is None
    assert plan.states["b"] is S.FAILED


def test_what_will_not_run_is_settled_as_far_as_it_follows() -> None:
    plan = Plan(
        {"a": task(), "c": task(needs=("b",)), "b": task(needs=("a",)), "d": task(needs=("c",), when="all_done")}
    )
    plan.begin("a")
    plan.end("a", False, 0)
    assert dict(plan.settle()) == {"b": S.UPSTREAM_FAILED, "c": S.UPSTREAM_FAILED}
    assert plan.ready(0) == ("d",)


def test_what_is_kept_is_not_done_again() -> None:
    plan = Plan({"a": task(), "b": task(needs=("a",))}, {"a": S.SUCCEEDED})
    assert plan.ready(0) == ("b",)


def test_an_interrupt_leaves_nothing_to_begin() -> None:
    plan = diamond()
    plan.begin("a")
    assert plan.interrupt() == ("b", "c", "d")
    assert not plan.ended
    plan.end("a", True, 0)
    assert plan.ended
