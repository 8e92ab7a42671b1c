"""Two versions side by side: what is different about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sparkml_track.dashboards.blocks import Markup, empty, note, section, table
from sparkml_track.dashboards.models.known import empty_store, kept
from sparkml_track.dashboards.page import Page
from sparkml_track.readable import number

if TYPE_CHECKING:
    from sparkml_track.promotion import Compared
    from sparkml_track.registries import Registry

__all__ = ["compared"]


def compared(page: Page, name: str, versions: Sequence[int]) -> Markup:
    """Metrics of each, and the parameters, table versions and inputs that differ."""
    if len(set(versions)) < 2 or empty_store(page):
        return section("", empty("There are not two versions to compare.", f"sparkml-track models compare {name} 1 2"))
    found = kept(page, ("compared", name, *versions), lambda opened: _compared(opened, name, versions))
    lines = list(_lines(found))
    if not lines:
        return section("", note("Nothing is known of either that differs."))
    return section("", table(("", *(f"version {each}" for each in found.versions), "difference"), lines))


def _compared(opened: Registry, name: str, versions: Sequence[int]) -> Compared:
    from sparkml_track.promotion import compare_versions

    return compare_versions(opened, name, versions)


def _lines(found: Compared) -> Iterator[Sequence[object]]:
    for name, values in found.metrics.items():
        known = [value for value in values if value is not None]
        apart = f"{known[-1] - known[0]:+.4g}" if len(known) == len(values) else ""
        yield (name, *("" if value is None else number(value) for value in values), apart)
    for what, rows in (("", found.params), ("rows: ", found.data), ("input: ", found.inputs)):
        yield from ((what + name, *(_short(text) for text in texts), Markup("differs")) for name, texts in rows.items())


def _short(text: str | None) -> str:
    """A number in six digits."""
    try:
        return "none" if text is None else text if text.lstrip("-").isdigit() else number(float(text))
    except ValueError:
        return str(text)
