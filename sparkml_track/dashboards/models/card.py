"""The card of a version, whose Markdown is made into HTML: headings, tables, code and sentences, all else is text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from sparkml_track.dashboards.blocks import Markup, empty, section, table
from sparkml_track.dashboards.models.known import empty_store, kept
from sparkml_track.dashboards.page import Page

if TYPE_CHECKING:
    from sparkml_track.registries import Registry

__all__ = ["card", "html_of"]

_CODE = re.compile(r"`([^`]*)`")
_CELLS = re.compile(r"(?<!\\)\|")


def card(page: Page, name: str, version: int) -> Markup:
    """The card, from the registry and the checked files of the version."""
    from sparkml_track.promotion import card_of

    if empty_store(page):
        return section("Card", empty("No model is registered yet.", "sparkml-track register --config CONFIG"))

    def made(opened: Registry) -> str:
        return card_of(opened, opened.facts(opened.version(name, version)))

    return html_of(kept(page, ("card", name, version), made))


def html_of(text: str) -> Markup:
    """Markdown as the cards have it."""
    parts = list(_parts(text))
    return Markup('<section class="sk">{}</section>').format(Markup("\n").join(parts))


def _parts(text: str) -> Iterator[Markup]:
    for kind, lines in groupby(text.splitlines(), _kind):
        if kind == "table":
            yield _table(list(lines))
        elif kind == "heading":
            yield from (Markup("<h2>{}</h2>").format(line.lstrip("# ")) for line in lines)
        elif kind == "text":
            yield Markup("<p>{}</p>").format(Markup(" ").join(map(_inline, lines)))


def _kind(line: str) -> str:
    if not line.strip():
        return "empty"
    return "table" if line.startswith("|") else "heading" if line.startswith("#") else "text"


def _table(lines: Sequence[str]) -> Markup:
    rows = [list(_cells(line)) for line in lines if set(line) - set("|-: ")]
    head = [cell.striptags() for cell in rows[0]] if rows else []
    return table(head, rows[1:], texts=(len(head) - 1,)) if rows else Markup()


def _cells(line: str) -> Iterable[Markup]:
    return (_inline(cell.strip().replace("\\|", "|")) for cell in _CELLS.split(line)[1:-1])


def _inline(text: str) -> Markup:
    """Code between backticks; all else is text."""
    pieces = _CODE.split(text)
    made = (Markup("<code>{}</code>" if place % 2 else "{}").format(piece) for place, piece in enumerate(pieces))
    return Markup().join(made)
