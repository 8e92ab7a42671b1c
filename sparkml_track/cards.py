"""Small pieces of HTML for notebooks: a title, facts, a table. No script, everything escaped, colours of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from sparkml_track.readable import number

__all__ = ["card", "lineage_command", "table"]

_CELL = "padding:2px 12px 2px 0;text-align:left;vertical-align:top"
_FAINT = "opacity:.7"
#: Characters of a value that are shown.
_MOST = 200


def card(title: str, facts: Mapping[str, object], inside: str = "", command: str = "") -> str:
    """A card.

    Args:
        title: what it is.
        facts: by name; those that are None or empty are left out.
        inside: HTML below them.
        command: for the command line, that says more.
    """
    rows = "".join(
        f'<tr><td style="{_CELL};{_FAINT}">{escape(name)}</td><td style="{_CELL}">{escape(_shown(value))}</td></tr>'
        for name, value in facts.items()
        if value is not None and value != ""
    )
    more = f'<div style="{_FAINT}">lineage: <code>{escape(command)}</code></div>' if command else ""
    return f'<div class="sparkml-card"><b>{escape(title)}</b><table>{rows}</table>{inside}{more}</div>'


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows below the names of their columns."""
    head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def lineage_command(table: str, version: int) -> str:
    """What shows from what a version of a table was made."""
    return f"sparkml-track catalog lineage {table} --at {version}"


def _cell(value: object) -> str:
    return f'<td style="{_CELL}">{escape(_shown(value))}</td>'


def _shown(value: object) -> str:
    text = "" if value is None else number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
