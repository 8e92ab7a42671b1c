"""States of tasks as signs and colours: told apart without colours, too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sparkml_track.dashboards.blocks import Markup
from sparkml_track.jobs.course.states import TaskState
from sparkml_track.jobs.records.views import Attempt, TaskTry
from sparkml_track.readable import duration

__all__ = ["COLOURS", "SIGNS", "legend", "square", "took"]

COLOURS: Mapping[str, str] = {
    TaskState.SUCCEEDED: "#00795a",
    TaskState.FAILED: "#b03a10",
    TaskState.RUNNING: "#0072b2",
    TaskState.INTERRUPTED: "#8a6100",
    TaskState.UPSTREAM_FAILED: "#6b7078",
    TaskState.EXCLUDED: "#8a929b",
    TaskState.WAITING: "#8a929b",
}
SIGNS: Mapping[str, str] = {
    TaskState.SUCCEEDED: "✓",
    TaskState.FAILED: "✗",
    TaskState.RUNNING: "▶",
    TaskState.INTERRUPTED: "■",
    TaskState.UPSTREAM_FAILED: "↑",
    TaskState.EXCLUDED: "○",
    TaskState.WAITING: "…",
}
_SQUARE = Markup(
    '<span role="img" aria-label="{0}" title="{0}" style="display:inline-block;width:30px;height:24px;line-height:24px;'
    'border-radius:4px;text-align:center;color:#fff;background:{1}">{2}</span>'
)


def square(state: str, said: str = "") -> Markup:
    """A state as a square with a sign.

    Args:
        state: of a task.
        said: of it, for those who point at it or do not see it; the state by default.
    """
    return _SQUARE.format(said or state.replace("_", " "), COLOURS.get(state, "#8a929b"), SIGNS.get(state, "?"))


def legend() -> Markup:
    """What the signs mean."""
    one = Markup('<span style="white-space:nowrap">{} {}</span>')
    shown = [one.format(square(name), name.replace("_", " ")) for name in SIGNS if name != TaskState.WAITING]
    return Markup('<p style="display:flex;flex-wrap:wrap;gap:6px 18px">{}</p>').format(Markup().join(shown))


def took(one: TaskTry | Attempt, now: datetime | None = None) -> str:
    """How long it took, or has taken until now; "" where nobody saw it."""
    if one.started is None or (one.ended is None and one.state != "running"):
        return ""
    return duration(max(((one.ended or now or datetime.now(UTC)) - one.started).total_seconds(), 0.0))
