"""A graph as SVG: boxes with two lines of text and a link, arrows from left to right."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sparkml_track.dashboards.graphs.layout import Lane, layout
from sparkml_track.readable import short_text

__all__ = ["Box", "drawn"]

_WIDTH, _HEIGHT, _BESIDE, _BELOW, _EDGE, _LANE = 220, 46, 48, 14, 6, 4
_LETTERS, _SMALL_LETTERS = 27, 33
_LINE = Markup('<path d="M{} {} C{} {},{} {},{} {}" fill="none" stroke="{}" stroke-width="1.4"{}/>')
_HEAD = Markup(' marker-end="url(#{})"')
_PASS = Markup('<path d="M{} {} H{}" fill="none" stroke="{}" stroke-width="1.4"/>')
_BOX = Markup(
    '<g><title>{title}</title><rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" style="fill:var(--background,#fff);'
    'stroke:{edge};stroke-width:{thick}"/><rect x="{x}" y="{y}" width="6" height="{h}" rx="3" fill="{colour}"/>'
    '<text x="{tx}" y="{ty}" style="font-size:13px;font-weight:600;fill:{ink}">{label}</text>'
    '<text x="{tx}" y="{sy}" style="font-size:12px;fill:var(--muted-foreground,#666)">{below}</text></g>'
)
_ARROW = Markup(
    '<defs><marker id="{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" fill="{1}"/></marker></defs>'
)
_SVG = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}" '
    'style="max-width:none;display:block">{}</svg>'
)
_FRAME = Markup('<div class="sk"><div class="sk-wide" tabindex="0" style="position:relative">{}{}</div></div>')
# Browsers that know it begin with what the graph is about in sight.
_IN_SIGHT = Markup(
    '<div style="position:absolute;top:0;left:{}px;width:1px;height:1px;scroll-initial-target:nearest"></div>'
)
_SOFT = "#8a929b"


@dataclass(frozen=True, slots=True)
class Box:
    """One thing.

    Attributes:
        label: its first line, cut if it is long.
        below: its second line.
        title: all of it, for those who point at it.
        to: an address; "" for none.
        colour: of its left edge.
        marked: whether it is the one that the graph is about.
    """

    label: str
    below: str = ""
    title: str = ""
    to: str = ""
    colour: str = _SOFT
    marked: bool = False


def drawn(boxes: Mapping[Hashable, Box], edges: Iterable[tuple[Hashable, Hashable]], name: str) -> Markup:
    """The picture, which may be scrolled sideways.

    Args:
        boxes: by thing.
        edges: from whom to whom.
        name: what it shows, for those who do not see it.
    """
    placed = layout(list(boxes), [edge for edge in edges if edge[0] in boxes and edge[1] in boxes])
    places, width, height = _places(placed.columns)
    arrow = f"sk-arrow-{zlib.crc32(name.encode())}"
    lines = [_line(places[source], places[target], _height(source), target, arrow) for source, target in placed.parts]
    lines += [_passing(*places[each]) for each in places if isinstance(each, Lane)]
    inner = [_ARROW.format(arrow, _SOFT), *lines, *(_box(box, *places[thing]) for thing, box in boxes.items())]
    svg = _SVG.format(name, width, height, width, height, Markup().join(inner))
    marked = [max(places[thing][0] - _BESIDE, 0) for thing, box in boxes.items() if box.marked]
    return _FRAME.format(svg, _IN_SIGHT.format(marked[0]) if marked else "")


def _height(thing: Hashable) -> int:
    return _LANE if isinstance(thing, Lane) else _HEIGHT


def _places(columns: Sequence[Sequence[Hashable]]) -> tuple[dict[Hashable, tuple[int, int]], int, int]:
    """The upper left corner of each box, and the size of the whole."""
    tall = [sum(_height(each) + _BELOW for each in column) - _BELOW for column in columns]
    height = max(tall, default=0) + 2 * _EDGE
    places = dict[Hashable, tuple[int, int]]()
    for number, column in enumerate(columns):
        top = (height - tall[number]) // 2
        for each in column:
            places[each] = (_EDGE + number * (_WIDTH + _BESIDE), top)
            top += _height(each) + _BELOW
    return places, len(columns) * (_WIDTH + _BESIDE) - _BESIDE + 2 * _EDGE, height


def _line(source: tuple[int, int], target: tuple[int, int], tall: int, to: Hashable, arrow: str) -> Markup:
    x, y = source[0] + _WIDTH, source[1] + tall // 2
    to_x, to_y = target[0], target[1] + _height(to) // 2
    bend = max(abs(to_x - x) // 2, 20)
    head = Markup() if isinstance(to, Lane) else _HEAD.format(arrow)
    return _LINE.format(x, y, x + bend, y, to_x - bend, to_y, to_x, to_y, _SOFT, head)


def _passing(x: int, y: int) -> Markup:
    return _PASS.format(x, y + _LANE // 2, x + _WIDTH, _SOFT)


def _box(box: Box, x: int, y: int) -> Markup:
    ink = "var(--link,#1f5fa8)" if box.to else "var(--foreground,#111)"
    made = _BOX.format(
        title=box.title or f"{box.label} {box.below}",
        x=x, y=y, w=_WIDTH, h=_HEIGHT, tx=x + 16, ty=y + 19, sy=y + 36,
        edge=box.colour if box.marked else "var(--border,#ccc)",
        thick=2 if box.marked else 1,
        colour=box.colour, ink=ink,
        label=short_text(box.label, _LETTERS), below=short_text(box.below, _SMALL_LETTERS),
    )  # fmt: skip
    return Markup('<a href="{}">{}</a>').format(box.to, made) if box.to else made
