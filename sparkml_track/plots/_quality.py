"""The quality of scores, window by window."""

from __future__ import annotations

from collections.abc import Sequence

from sparkml_track.plots._base import Plotted
from sparkml_track.plots._figure import fragment, label, layout, sentence

__all__ = ["draw_quality"]

_MEASURES = ("log loss", "AUC", "base rate", "mean score")


def draw_quality(rows: Sequence[tuple[str, bool, *tuple[float, ...]]], names: Sequence[str] = _MEASURES) -> Plotted:
    """Measures by window.

    Args:
        rows: window, whether it is in the baseline, then a figure for each measure; in their order.
        names: of the measures.
    """
    title = "Quality by window"
    if not rows:
        return Plotted(title, "", sentence("No label was given, or none is known yet."))
    x = [label(f"{row[0]}{'*' if row[1] else ''}") for row in rows]
    lines = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": [row[place] for row in rows]}
        for place, name in enumerate(names, start=2)
    ]
    caption = "A star marks windows of the baseline, which the model may have learned from."
    return Plotted(title, caption, fragment("quality", lines, layout(xaxis={"type": "category"})))
