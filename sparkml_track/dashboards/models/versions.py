"""The models and their versions: aliases, what the gate and people decided, from which sweep and tables they come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_track.dashboards.blocks import Markup, empty, more, note, section, table, tiles
from sparkml_track.dashboards.models.known import Model, history, models, names, to_run
from sparkml_track.dashboards.page import Page
from sparkml_track.readable import number
from sparkml_track.schema import TAG_APPROVAL, TAG_DECIDED_BY, TAG_SWEEP, TAG_SWEEP_RUN, TAG_VERDICT

if TYPE_CHECKING:
    from sparkml_track.registries import VersionFacts

__all__ = ["all_models", "deciding", "gate", "overview", "versions", "when"]


def all_models(page: Page) -> Markup:
    """Every registered model."""
    found, there = models(page), len(names(page))
    if not there:
        return section("All models", empty("No model is registered yet.", "sparkml-track register --config CONFIG"))
    head = ("model", "versions", "champion", "challenger", "waits for approval", "comes from")
    rows = [_row(page, one) for one in found]
    return section("All models", table(head, rows), about=more(there, len(rows), "models").strip())


def overview(page: Page, name: str) -> Markup:
    """Who is champion, who challenges, who waits."""
    found = history(page, name)
    aliases = {alias: found.having(alias) for alias in ("champion", "challenger")}
    waiting = [each.ref.version for each in found.versions if each.tags.get(TAG_APPROVAL) == "pending"]
    last = found.versions[0] if found.versions else None
    numbers = [(alias, f"version {of.ref.version}" if of else "none") for alias, of in aliases.items()]
    head = tiles(
        [*numbers, ("versions", found.total), ("last registered, UTC", when(last.created) if last else "never")]
    )
    said = [_waits(name, each) for each in waiting]
    return Markup().join([head, *said])


def versions(page: Page, name: str) -> Markup:
    """The versions of a model, the newest first."""
    found = history(page, name)
    metric = deciding(found.versions)
    known = metric or "no figure"
    head = (
        "version",
        "registered, UTC",
        "aliases",
        "gate",
        "approval",
        known,
        "champion then",
        "run",
        "sweep",
        "put to work",
    )
    lines = [_line(page, each, metric) for each in found.versions]
    last = f" The last {len(found.versions)} of {found.total}." if found.total > len(found.versions) else ""
    said = f"The figure is that of the metric that decided, on the rows of the gate.{last}"
    return section("Versions", table(head, lines), about=said)


def deciding(found: Sequence[VersionFacts]) -> str:
    """The metric that decided about the newest version that says so; else one that was measured."""
    named = (each.run_tags.get(TAG_DECIDED_BY) for each in found)
    measured = (
        name.removeprefix("test.") for each in found for name in sorted(each.metrics) if name.startswith("test.")
    )
    return next((name for name in (*named, *measured) if name), "")


def gate(facts: VersionFacts) -> str:
    """What the gate said, in a word or two."""
    stage, got = facts.tags.get(TAG_APPROVAL), facts.tags.get(TAG_VERDICT)
    # Only what came through the gate waits for people.
    if stage in ("pending", "rejected") or got == "champion":
        return "passed, waits" if stage == "pending" else "passed"
    return "not passed" if got else "none"


def when(seconds: float) -> str:
    """To the minute, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _row(page: Page, one: Model) -> Sequence[object]:
    waiting = ", ".join(map(str, one.waiting))
    name = page.link(one.name, "models", model=one.name)
    return (name, one.versions, one.champion, one.challenger, waiting, page.link("lineage", "lineage", model=one.name))


def _line(page: Page, facts: VersionFacts, metric: str) -> Sequence[object]:
    from sparkml_track.pipeline.deployment.kept import deployed_at

    sweep = facts.run_tags.get(TAG_SWEEP, "")
    links = [page.link(sweep, "sweep", sweep=sweep)] if sweep else []
    if facts.run_tags.get(TAG_SWEEP_RUN):
        links.append(to_run("its run", facts.run_tags[TAG_SWEEP_RUN]))
    figures = [facts.metrics.get(f"{who}.{metric}") for who in ("test", "champion")]
    return (
        page.link(facts.ref.version, "models", model=facts.ref.name, version=facts.ref.version),
        when(facts.created),
        ", ".join(facts.aliases),
        gate(facts),
        facts.tags.get(TAG_APPROVAL, ""),
        *("" if value is None else number(value) for value in figures),
        to_run("run", facts.ref.run_id),
        Markup(", ").join(links),
        ", ".join(f"{each.to} {each.where}" for each in deployed_at(facts.tags)),
    )


def _waits(name: str, version: int) -> Markup:
    said = "Version {} waits for approval: <code>sparkml-track models approve {}/{}</code>, or <code>reject</code>."
    return note(Markup(said).format(version, name, version), "warn")
