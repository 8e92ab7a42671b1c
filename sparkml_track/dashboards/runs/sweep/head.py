"""How a sweep stands: its state, the best so far, what it took, and where else it is to be seen."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sparkml_track.dashboards.blocks import Markup, empty, facts, link, note, section, state, table, tiles
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.runs.overview import SweepRow, overview, overview_of
from sparkml_track.dashboards.runs.reading import seen
from sparkml_track.dashboards.runs.seen import Seen
from sparkml_track.dashboards.runs.sweeps import progress_bar, reasons_text
from sparkml_track.errors import SparkmlError
from sparkml_track.readable import clock_time, duration, number, short_text
from sparkml_track.space import parse
from sparkml_track.trackers import found_models

__all__ = ["best_section", "costs_section", "head_section", "space_section"]

_SPEC = ("sampler", "pruner", "executor", "max_trials", "timeout", "trial_timeout", "parallelism", "seed", "objective")


def head_section(page: Page, sweep: str) -> Sequence[Markup]:
    """State, counts and links of a sweep; a sentence where there is none of this id."""
    row = overview_of(page, sweep)
    if row is None:
        if not overview(page, 1):
            return (empty(f"There is no sweep in {page.home.place} yet.", "sparkml-track run CONFIG"),)
        said = Markup("There is no sweep {} here. See {}.").format(sweep, page.link("all sweeps", "sweeps"))
        return (note(said, "bad"),)
    if row.state == "unreadable":
        return (note(row.note, "bad"),)
    return (_tiles(row), _facts(page, row), *_way_on(row))


def _tiles(row: SweepRow) -> Markup:
    numbers: list[tuple[str, object] | tuple[str, object, str]] = [("state", state(row.state))]
    if row.goal is not None and row.best is not None:
        numbers.append((f"best {row.goal.metric}", number(row.best)))
    if row.counts is not None:
        numbers.append(("trials", progress_bar(row)))
        counts = row.counts
        numbers += [(name, f"{getattr(counts, name):,}") for name in ("finished", "pruned", "running")]
        bad = counts.failed + counts.killed
        numbers += [("failed or killed", f"{bad:,}", "bad")] if bad else []
    if row.state == "running":
        numbers.append(("per second", f"{row.rate:.3g}"))
        numbers += [("left at this rate", duration(row.left))] if row.left is not None else []
        numbers.append(("slots busy / idle", f"{row.at_work} / {max(row.slots - row.at_work, 0)}"))
    return tiles(numbers)


def _facts(page: Page, row: SweepRow) -> Markup:
    parent = seen(page, row.sweep).parent
    experiment = parent.experiment_id if parent is not None and row.store is None else ""
    run = page.run_link(row.run, experiment, row.run) if row.run else ""
    report = page.home.report(row.sweep)
    pairs: list[tuple[str, object]] = [
        ("name", row.name),
        ("parent run", run),
        ("in the store", row.store or ""),
        ("report", str(report) if report.is_file() else ""),
        ("written", f"{duration(max(0.0, time.time() - row.modified))} ago"),
        ("failures", reasons_text(row.failures or {})),
        ("note", row.note),
        ("models", _models(page, row)),
        ("beside others", page.link("compare", "compare", sweeps=row.sweep)),
    ]
    return facts(pairs)


def _models(page: Page, row: SweepRow) -> Markup:
    found = found_models(page.home.database, row.sweep) if row.store is None else []
    links = (page.link(f"{model.name} {model.version}", "models", model=model.name) for model in found)
    return Markup(", ").join(links)


def _way_on(row: SweepRow) -> Sequence[Markup]:
    if row.state == "running":
        way = Markup("It can be ended from anywhere on this home: <code>sparkml-track stop {}</code>")
        return (note(way.format(row.sweep)),)
    if not row.resumable:
        return ()
    return (note(Markup("It can be gone on with: <code>sparkml-track resume {}</code>").format(row.sweep), "warn"),)


def best_section(found: Seen) -> Markup:
    """The best trial of each objective, with its params."""
    parts: list[Markup] = []
    for goal in found.goals:
        row = found.best(goal)
        if row is None:
            parts.append(note(f"No trial has finished with a value for {goal.metric} yet."))
            continue
        value, trial = float(found.values(goal)[row]), int(found.numbers[row])
        query = f"?sweep={found.sweep}&trial={trial}"
        said = Markup("<p>{} <b>{}</b> by {}, {} is better.</p>").format(
            goal.metric, number(value), link(f"trial {trial}", query), "higher" if goal.maximize else "lower"
        )
        parts.append(said + facts((name, short_text(each)) for name, each in found.params_of(row).items()))
    return section("Best so far", *parts)


def costs_section(found: Seen) -> Markup:
    """What the sweep took of slots and machines."""
    costs = found.costs
    slowest = "" if costs.slowest_trial is None else f"{duration(costs.slowest)}, trial {costs.slowest_trial}"
    pairs: list[tuple[str, object]] = [
        ("from first start to last end", duration(costs.wall)),
        ("slot time used", duration(costs.used)),
        ("of it for failed and killed trials", duration(costs.wasted) if costs.wasted else ""),
        ("idle", "" if costs.idle is None else duration(costs.idle)),
        ("attempts lost", costs.lost or ""),
        ("late answers refused", found.late or ""),
        ("slowest", slowest),
        ("processor time", "" if costs.cpu is None else duration(costs.cpu)),
        ("most memory of a trial", "" if costs.memory is None else f"{costs.memory / 2**20:,.0f} MiB"),
        ("cost", "" if costs.cost is None else number(costs.cost)),
    ]
    return section("What it took", facts(pairs), *_plan(found))


def _plan(found: Seen) -> Sequence[Markup]:
    if found.plan is None:
        return ()
    described = found.described
    rows = [(name, short_text(described[name])) for name in _SPEC if described.get(name) not in (None, "")]
    return (facts([("began", clock_time(found.plan.time)), *rows]),)


def space_section(found: Seen) -> Markup:
    """The space that was searched."""
    space = found.described.get("space")
    if not isinstance(space, dict):
        return Markup()
    try:
        tree = parse(space).tree
        nodes = dict(tree.items)
    except SparkmlError:  # of a later release
        nodes = space
    rows = [(name, short_text(node, 400)) for name, node in nodes.items()]
    return section("Space", table(("parameter", "values"), rows, (1,)))
