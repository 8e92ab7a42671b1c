"""When each trial ran, and beside what: where slots were idle, and which trials kept the sweep waiting."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from typing_extensions import override

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plot, Plotted, PlotTrial
from sparkml_track.plots._figure import COLOURS, fragment, layout, sentence

__all__ = ["Timeline"]

_MOST = 4000


class Timeline(Plot):
    """A bar for each trial from its start to its end, in as few rows as there were trials at one time.

    Results do not say which slot executed a trial; a row is a slot that could have.
    """

    of_goal = False

    @override
    def draw(self, trials: Sequence[PlotTrial], goal: Goal) -> Plotted:
        title = "Timeline"
        begun = sorted((one for one in trials if _has_times(one)), key=lambda one: (one.started, one.number))
        if not begun:
            return Plotted(title, "", sentence("No trial began."))
        rows, shown = _rows(begun), begun[:_MOST]
        first = begun[0].started
        data = []
        for state in COLOURS:
            bars = [(one, row) for one, row in zip(shown, rows, strict=False) if one.state is state]
            if bars:
                data.append(_bars(state.value, bars, first) | _line(COLOURS[state], len(rows)))
        count = max(rows) + 1
        more = f" The first {_MOST:,} of {len(begun):,} trials are drawn." if len(begun) > _MOST else ""
        caption = f"Each bar is a trial, from start to end; {count} ran at one time at most.{more}"
        page = layout(
            xaxis={"title": {"text": "seconds since the first start"}},
            yaxis={"title": {"text": "slots"}, "showticklabels": False, "range": [-0.7, count - 0.3]},
            legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        )
        return Plotted(title, caption, fragment("timeline", data, page, height=160 + min(16 * count, 420)))


def _has_times(one: PlotTrial) -> bool:
    return math.isfinite(one.started) and math.isfinite(one.duration) and one.started > 0


def _rows(begun: Sequence[PlotTrial]) -> list[int]:
    """A row for each trial: the lowest that is free when it begins."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    rows = []
    for one in begun:
        while busy and busy[0][0] <= one.started:
            heapq.heappush(free, heapq.heappop(busy)[1])
        row = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (one.started + one.duration, row))
        rows.append(row)
    return rows


def _bars(name: str, bars: Sequence[tuple[PlotTrial, int]], first: float) -> dict[str, object]:
    """One line with holes: thousands of bars are drawn as quickly as one."""
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str | None] = []
    for one, row in bars:
        start = one.started - first
        x += [start, start + one.duration, None]
        y += [row, row, None]
        said = f"trial {one.number}: {one.duration:.3g} s"
        text += [said, said, None]
    template = "%{text}<extra></extra>"
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "text": text, "hovertemplate": template}


def _line(colour: str, bars: int) -> dict[str, object]:
    return {"line": {"color": colour, "width": 9 if bars < 500 else 4}}
