"""The distribution of scores in the baseline and in each window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sparkml_track.plots._base import Plotted
from sparkml_track.plots._figure import GREY, fragment, label, layout, sentence

__all__ = ["draw_scores"]

_POINTS = 50  # of a histogram


def draw_scores(rows: Sequence[tuple[str, bool, Any]]) -> Plotted:
    """Share of rows by score.

    Args:
        rows: window, whether it is in the baseline, counts in bins of equal width from 0 to 1 (an array whose length is
            a multiple of 50).
    """
    title = "Scores"
    if not rows:
        return Plotted(title, "", sentence("No label was given, so scores were not binned."))
    base = [counts for _, in_baseline, counts in rows if in_baseline]
    lines = [_line("baseline", sum(base[1:], base[0]), {"color": GREY})] if base else []
    lines += [_line(label(window), counts, {}) for window, in_baseline, counts in rows if not in_baseline]
    page = layout(xaxis={"title": {"text": "score"}}, yaxis={"title": {"text": "share of rows"}})
    return Plotted(title, "Share of rows by score; grey is the baseline.", fragment("scores", lines, page))


def _line(name: str, counts: Any, line: dict[str, object]) -> dict[str, object]:
    points = counts.reshape(_POINTS, -1).sum(axis=1)
    share = (points / max(points.sum(), 1)).tolist()
    x = [(index + 0.5) / _POINTS for index in range(_POINTS)]
    return {"type": "scatter", "name": name, "x": x, "y": share, "line": {"shape": "hvh", **line}}
