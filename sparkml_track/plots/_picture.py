"""Figures as small pictures: SVG without a script, for notebooks whose page has no plotly.js, and for mail.

Points, lines and bars of two plain axes are drawn; colours of text are the page's own.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sparkml_track.plots._base import Plotted
from sparkml_track.plots._figure import BLUE, Fragment

__all__ = ["picture"]

_WIDTH, _HEIGHT, _RIGHT, _TOP, _BOTTOM = 440, 230, 12, 26, 34
#: Points of one trace that are drawn; letters of a label.
_MOST, _LETTERS = 250, 18
Pairs = Sequence[tuple[float, float]]
Trace = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to pixels along one axis."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    @classmethod
    def of(cls, values: Iterable[float], start: float, end: float) -> _Scale:
        """One that shows all of these, with a little room."""
        found = list(values)
        low, high = min(found), max(found)
        room = (high - low) * 0.04 or abs(low) * 0.1 or 1.0
        return cls(low - room, high + room, start, end)

    def ticks(self) -> Iterator[float]:
        """Round numbers, about five."""
        raw = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw)
        return (number * step for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1))


def picture(plotted: Plotted) -> str:
    """A plot as SVG; one that could not be drawn as the sentence that says why."""
    shown = plotted.html
    if not isinstance(shown, Fragment):
        return shown
    bars = [trace for trace in shown.data if trace.get("type") == "bar"]
    inside = _bars(bars[0]) if bars else _points(shown)
    title = f'<text x="4" y="15" font-weight="600">{html.escape(plotted.title)}</text>'
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" font-size="11" '
        f'font-family="system-ui,sans-serif" fill="currentColor" style="max-width:100%">{title}{"".join(inside)}</svg>'
    )


def _points(shown: Fragment) -> Iterator[str]:
    lines = [(trace, _pairs(trace)) for trace in shown.data]
    every = [pair for _, pairs in lines for pair in pairs if _drawn(pair)]
    across = _Scale.of((x for x, _ in every), 56, _WIDTH - _RIGHT)
    up = _Scale.of((y for _, y in every), _HEIGHT - _BOTTOM, _TOP)
    yield from _axes(across, up, shown.page)
    for trace, pairs in lines:
        yield _line(trace, pairs, across, up) if trace.get("mode") == "lines" else _dots(trace, pairs, across, up)


def _pairs(trace: Trace) -> Pairs:
    """Its points; where its line has a hole, one that is not a number."""
    x, y = trace.get("x"), trace.get("y")
    assert isinstance(x, Sequence)
    assert isinstance(y, Sequence)
    return [(_number(a), _number(b)) for a, b in zip(x, y, strict=True)]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _drawn(pair: tuple[float, float]) -> bool:
    return math.isfinite(pair[0]) and math.isfinite(pair[1])


def _dots(trace: Trace, pairs: Pairs, across: _Scale, up: _Scale) -> str:
    shown = [pairs[place * len(pairs) // _MOST] for place in range(_MOST)] if len(pairs) > _MOST else pairs
    # Lines of no length with round ends: a fifth of the bytes of circles.
    dots = "".join(f"M{across(x)} {up(y)}h0" for x, y in filter(_drawn, shown))
    style = 'stroke-width="5" stroke-linecap="round" stroke-opacity=".7"'
    return f'<path d="{dots}" stroke="{_colour(trace, "marker")}" {style}/>'


def _line(trace: Trace, pairs: Pairs, across: _Scale, up: _Scale) -> str:
    style = trace.get("line")
    steps = isinstance(style, Mapping) and style.get("shape") == "hv"
    path, begun = [], False
    for x, y in pairs[: 3 * _MOST]:
        if not _drawn((x, y)):
            begun = False
            continue
        if begun and steps:
            path.append(f"H{across(x)}V{up(y)}")
        else:
            path.append(f"{'L' if begun else 'M'}{across(x)} {up(y)}")
        begun = True
    return f'<path d="{"".join(path)}" fill="none" stroke="{_colour(trace, "line")}" stroke-width="2"/>'


def _axes(across: _Scale, up: _Scale, page: Mapping[str, object]) -> Iterator[str]:
    for tick in across.ticks():
        yield f'<text x="{across(tick)}" y="{_HEIGHT - 20}" text-anchor="middle" opacity=".7">{tick:.6g}</text>'
    for tick in up.ticks():
        at = up(tick)
        yield f'<path d="M56 {at}H{_WIDTH - _RIGHT}" stroke="currentColor" stroke-opacity=".15"/>'
        yield f'<text x="50" y="{at + 4}" text-anchor="end" opacity=".7">{tick:.4g}</text>'
    yield f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 5}" text-anchor="middle">{_text(_title(page, "xaxis"), 40)}</text>'
    yield f'<text x="{_WIDTH - _RIGHT}" y="15" text-anchor="end" opacity=".7">{_text(_title(page, "yaxis"), 30)}</text>'


def _bars(trace: Trace) -> Iterator[str]:
    names, shares = trace.get("y"), trace.get("x")
    assert isinstance(names, Sequence)
    assert isinstance(shares, Sequence)
    most = max((float(share) for share in shares), default=1.0) or 1.0
    each = min(26.0, (_HEIGHT - _TOP - 8) / max(1, len(names)))
    # The last one is drawn on top, as on an axis.
    for place, (name, share) in enumerate(zip(reversed(names), reversed(shares), strict=True)):
        top, width = _TOP + place * each, float(share) / most * (_WIDTH - 190)
        yield f'<text x="122" y="{top + each / 2 + 4:.1f}" text-anchor="end">{_text(name, _LETTERS)}</text>'
        yield f'<rect x="128" y="{top + 2:.1f}" width="{width:.1f}" height="{each - 4:.1f}" fill="{BLUE}"/>'
        yield f'<text x="{134 + width:.1f}" y="{top + each / 2 + 4:.1f}" opacity=".7">{float(share):.2g}</text>'


def _title(page: Mapping[str, object], axis: str) -> object:
    found = page.get(axis)
    title = found.get("title") if isinstance(found, Mapping) else None
    return title.get("text", "") if isinstance(title, Mapping) else ""


def _text(label: object, most: int) -> str:
    """Labels of figures are escaped already; as much of them as there is room for."""
    text = html.unescape(str(label))
    return html.escape(text if len(text) <= most else f"{text[: most - 1]}…")


def _colour(trace: Trace, of: str) -> str:
    style = trace.get(of)
    return str(style.get("color", BLUE)) if isinstance(style, Mapping) else BLUE
