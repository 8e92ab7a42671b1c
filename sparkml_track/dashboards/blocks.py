"""Pieces of HTML that several pages are made of. Whatever they are given is text, unless it is ``Markup``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

from markupsafe import Markup, escape

from sparkml_track.adapters.mlflow.links import PAGES

__all__ = ["STYLE", "Markup", "address", "empty", "facts", "link", "more", "note", "section", "state", "table", "tiles"]

STYLE = Markup("<style>{}</style>").format(Markup((Path(__file__).parent / "style.css").read_text()))  # noqa: S704  # ours


def address(page: str, query: Mapping[str, object] | None = None) -> str:
    """The address of a page."""
    given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
    return f"{PAGES}/{page}/" + (f"?{urlencode(given)}" if given else "")


def link(text: object, to: str) -> Markup:
    """A link; where nothing leads, the text alone."""
    return Markup('<a href="{}">{}</a>').format(to, text) if to else escape(text)


def section(title: str, *parts: object, about: str = "") -> Markup:
    """A heading, one sentence on how to read it, and what belongs to it."""
    said = Markup('<p class="sk-soft">{}</p>').format(about) if about else Markup()
    head = Markup("<h2>{}</h2>").format(title) if title else Markup()
    return Markup('<section class="sk">{}{}{}</section>').format(head, said, Markup().join(map(escape, parts)))


def tiles(numbers: Iterable[tuple[str, object] | tuple[str, object, str]]) -> Markup:
    """Numbers side by side: what it is, how much, and "bad" where that is bad."""
    one = Markup('<div class="{}"><b>{}</b><span>{}</span></div>')
    cells = [one.format(rest[0] if rest else "", value, name) for name, value, *rest in numbers]
    return Markup('<div class="sk"><div class="sk-tiles">{}</div></div>').format(Markup().join(cells))


def facts(pairs: Mapping[str, object] | Iterable[tuple[str, object]]) -> Markup:
    """What is known of one thing; what is empty is left out."""
    known = pairs.items() if isinstance(pairs, Mapping) else pairs
    one = Markup("<div><dt>{}</dt><dd>{}</dd></div>")
    cells = [one.format(name, value) for name, value in known if value not in (None, "")]
    return Markup('<div class="sk"><dl class="sk-facts">{}</dl></div>').format(Markup().join(cells))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], texts: Sequence[int] = ()) -> Markup:
    """A small table, which may be scrolled sideways.

    Args:
        head: names of columns.
        rows: cells; None is shown as nothing.
        texts: columns whose text may take several lines.
    """
    names = Markup().join(Markup('<th scope="col">{}</th>').format(name) for name in head)
    plain, long = Markup("<td>{}</td>"), Markup('<td class="text">{}</td>')
    lines = [
        Markup("<tr>{}</tr>").format(
            Markup().join(
                (long if place in texts else plain).format("" if cell is None else cell)
                for place, cell in enumerate(row)
            )
        )
        for row in rows
    ]
    body = Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(names, Markup().join(lines))
    return Markup('<div class="sk"><div class="sk-wide" tabindex="0">{}</div></div>').format(body)


def state(name: str) -> Markup:
    """The word for a state, in its colour."""
    return Markup('<span class="sk-state {}">{}</span>').format(name, name)


def more(there: int, shown: int, what: str) -> str:
    """The sentence that ends what is said of a table which does not show all; nothing where it does."""
    return f" {there - shown:,} more {what} are not shown." if there > shown else ""


def note(text: object, kind: str = "") -> Markup:
    """A sentence that should be seen; ``kind`` is "bad", "warn" or nothing."""
    return Markup('<div class="sk"><div class="sk-note {}" role="status">{}</div></div>').format(kind, text)


def empty(what: str, command: str = "") -> Markup:
    """What is empty, and the command that fills it."""
    way = Markup(" To fill it: <code>{}</code>").format(command) if command else Markup()
    return note(Markup("{}{}").format(what, way))
