"""Samplers and pruners: how well they search, and what they cost the driver, beside the libraries they come from.

    scripts/bench search [--quick] [--only quality|pruning|cost ...]

Each row prints a line of JSON when it is done; tables and verdicts come at the end. About twelve minutes on two quiet
cores with 20 seeds; --quick takes 3 seeds and smaller sizes, which shows that it works and proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

import search_cost
import search_problems
import search_pruning
import search_quality

Row = dict[str, Any]


def told(rows: Iterable[Row]) -> list[Row]:
    """All rows, each printed as it comes."""
    found = []
    for row in rows:
        print(json.dumps({name: value for name, value in row.items() if name != "all"}), flush=True)
        found.append(row)
    return found


def quality(quick: bool) -> None:
    """Regret after equal trials."""
    search_problems.measure_all()
    seeds = 3 if quick else 20
    rows = told(search_quality.compare(seeds))
    columns = ("sampler", "problem", "trials", "ours", "theirs", "wins", "p_worse", "at_one_time")
    table(f"regret: median of {seeds} seeds; ours through 4 slots, theirs serial", columns, rows)
    for sampler, library in search_quality.LIBRARIES.items():
        found = search_quality.pooled([row for row in rows if row["sampler"] == sampler])
        good = found["p_worse"] > 0.05 and not found["problems_worse"]
        worse = ", ".join(found["problems_worse"]) or "all together"
        verdict = "not worse beyond noise" if good else f"WORSE: {worse}"
        # Above 0: ours is better.
        print(f"{sampler} beside {library}: {verdict}; z = {found['z']:.2f}, p(worse) = {found['p_worse']:.3f}")


def pruning(quick: bool) -> None:
    """Seconds to the same validation loss."""
    rows = told(search_pruning.compare(*((2, 40) if quick else (5, 60))))
    columns = ("workload", "loss", "without_s", "asha_s", "times_sooner", "pruned_share", "seconds_a_trial")
    table("seconds to the same validation loss, 4 slots", columns, rows)
    for row in rows:
        met = "met" if row["times_sooner"] >= 2.0 else "MISSED"
        print(f"ASHA on {row['workload']}: {row['times_sooner']:.2f} times sooner; the floor of 2 is {met}")


def cost(quick: bool) -> None:
    """Milliseconds a proposal, microseconds a report."""
    rows = told(search_cost.asks([100, 1000] if quick else [100, 1000, 10_000]))
    table("a proposal after so many trials", ("member", "trials", "ours_ms", "theirs_ms"), rows)
    rows = told(search_cost.reports(1000 if quick else 10_000))
    table("a report after so many trials", ("member", "trials", "ours_us", "theirs_us"), rows)


def table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Prints rows under their columns."""
    cells = [[_short(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    print(f"\n{title}")
    for line in [list(columns), *cells]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print(flush=True)


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def main() -> None:
    """Runs the parts."""
    parts = {"quality": quality, "pruning": pruning, "cost": cost}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=parts, default=list(parts))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["SPARKML_HOME"] = home
        for name in options.only:
            parts[name](options.quick)


if __name__ == "__main__":
    main()
