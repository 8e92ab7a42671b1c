"""Progress as HTML below a cell of a notebook: no script, nothing loaded, everything escaped, colours of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from sparkml_track.api.progress.words import counts, params, rate, running_now, slots
from sparkml_track.readable import duration, number

if TYPE_CHECKING:
    from sparkml_track.engine.loop.progress import Progress

__all__ = ["panel"]

_FAINT = "opacity:.7"
_BUTTON = "border:1px solid;border-radius:4px;padding:1px 10px;margin-right:10px;color:inherit;text-decoration:none"
_CELL = "padding:1px 12px 1px 0;text-align:left;white-space:nowrap"
_BAR = "height:8px;border-radius:4px;background:rgba(128,128,128,.25);margin:6px 0;max-width:560px"


def panel(name: str, progress: Progress | None, way_to_end: str, last: Sequence[str] = (), stop: str = "") -> str:
    """A panel.

    Args:
        name: of the sweep.
        progress: the last look; None before the first.
        way_to_end: how a person ends the sweep, in words.
        last: what it found, a line each, once it has ended.
        stop: where a click ends it; empty for nowhere.
    """
    if progress is None:
        return _box([f"<b>{escape(name)}</b>: starting"])
    parts = [f"<b>{escape(name)}</b> {escape(_times(progress))}", _bar(progress), _line(_counts(progress))]
    parts += [_best(progress), _line(progress.note), _running(progress)]
    parts += [_end(way_to_end, stop)] if way_to_end and not progress.ended else []
    return _box([*parts, *(_line(each, _FAINT) for each in last)])


def _box(parts: Iterable[str]) -> str:
    return f'<div class="sparkml-progress" style="font-size:13px;line-height:1.5">{"".join(parts)}</div>'


def _end(way: str, stop: str) -> str:
    link = f'<a href="{escape(stop)}" target="_blank" rel="noopener noreferrer" style="{_BUTTON}">Stop</a>or '
    return f'<div style="margin-top:6px;{_FAINT}">{link if stop else ""}{escape(way)}</div>'


def _line(text: str, style: str = "") -> str:
    return f'<div style="{style}">{escape(text)}</div>' if text else ""


def _times(progress: Progress) -> str:
    share = f"{progress.done} of {progress.planned}" if progress.planned else f"{progress.done}"
    parts = [f"{share} trials", duration(progress.elapsed), rate(progress)]
    if progress.remaining is not None and not progress.ended:
        parts.append(f"{duration(progress.remaining)} left")
    return ", ".join(filter(None, parts))


def _bar(progress: Progress) -> str:
    if not progress.planned:
        return ""
    shares = ((progress.finished, "#1f5fa8"), (progress.pruned, "#d9902f"), (progress.failed, "#c0392b"))
    parts = "".join(
        f'<span style="float:left;height:8px;background:{colour};width:{100 * count / progress.planned:.2f}%"></span>'
        for count, colour in shares
        if count
    )
    return f'<div style="{_BAR};overflow:hidden">{parts}</div>'


def _counts(progress: Progress) -> str:
    return " · ".join(filter(None, (f"{progress.finished} finished", *counts(progress), slots(progress))))


def _best(progress: Progress) -> str:
    if progress.best is None:
        return ""
    value, found = number(progress.best), escape(params(progress.best_params or {}, 200))
    return f"<div>best {escape(progress.metric)} <b>{value}</b> by trial {progress.best_number}: {found}</div>"


def _running(progress: Progress) -> str:
    if not progress.trials:
        return ""
    head = "".join(f'<th style="{_CELL};{_FAINT}">{name}</th>' for name in ("running", "for", "last report", "params"))
    rows = (running_now(one, 120) for one in progress.trials)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    more = progress.running - len(progress.trials)
    table = f'<table style="border-collapse:collapse;margin-top:4px"><tr>{head}</tr>{body}</table>'
    return table + (_line(f"and {more} more", _FAINT) if more > 0 else "")


def _cell(text: str) -> str:
    return f'<td style="{_CELL}">{escape(text)}</td>'
