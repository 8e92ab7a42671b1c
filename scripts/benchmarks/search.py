"""Samplers and pruners: how well they search, and what they cost the driver, beside the libraries they come from.

    scripts/bench search [--quick] [--only quality|pruning|cost ...] [--seeds N] [--minutes N]

Each part prints its protocol, a line of JSON for each row, a table, and a verdict for each budget: met, MISSED, or
INCOMPLETE where something failed. Some ten minutes on two quiet cores. --quick takes 3 seeds and smaller sizes, which
shows that it works and proves nothing. After --minutes, or Ctrl-C, the part on quality shows the seeds it has. Ends
with 1 if a part failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import search_cost
import search_problems
import search_pruning
import search_quality

Row = dict[str, Any]
_SHOWN = 5  # failures that are told one by one


@dataclass(frozen=True)
class Options:
    """As asked for.

    Attributes:
        quick: smaller sizes.
        seeds: of quality; 20, or 3 if quick.
        minutes: after which quality begins no search.
    """

    quick: bool
    seeds: int
    minutes: float


def told(rows: Iterable[Row]) -> list[Row]:
    """All rows, each printed as it comes."""
    found = []
    for row in rows:
        print(json.dumps({name: value for name, value in row.items() if name != "all"}), flush=True)
        found.append(row)
    return found


def verdict(what: str, met: bool, seen: str, failed: str = "") -> None:
    """One line for one budget."""
    word = f"INCOMPLETE ({failed})" if failed else "met" if met else "MISSED"
    print(f"VERDICT {what}: {word}; {seen}", flush=True)


def quality(options: Options) -> None:
    """Regret after equal trials."""
    print(search_quality.PROTOCOL)
    search_problems.measure_all()
    compared = search_quality.Comparison()
    try:
        told(compared.measure(options.seeds, options.minutes))
    except KeyboardInterrupt:
        print("interrupted: what follows is of the seeds so far")
    rows = told(compared.rows())
    columns = ("sampler", "library", "problem", "trials", "seeds", "ours", "theirs", "wins", "p_worse", "at_one_time")
    table("regret: medians over seeds; wins is how likely ours ends lower", columns, sorted(rows, key=_by_library))
    for (place, sampler, seed), why in compared.failed[:_SHOWN]:
        print(f"failed: {sampler} on {search_problems.PROBLEMS[place].name}, seed {seed}: {why}")
    for sampler, libraries in search_quality.LIBRARIES.items():
        for library in libraries:
            mine = [row for row in rows if row["sampler"] == sampler and row["library"] == library]
            missing = options.seeds * len(search_problems.PROBLEMS) - sum(row["seeds"] for row in mine)
            failed = f"{missing} searches are missing" if missing else ""
            judge(f"{sampler} no worse than {library}", search_quality.pooled(mine), failed, library)


def _by_library(row: Row) -> str:
    return str(row["library"])


def judge(what: str, found: Row, failed: str, library: str = "") -> None:
    """The rank tests of one sampler, all problems together and each."""
    worse = found["problems_worse"]
    seen = f"all problems together z = {found['z']:.2f} (above 0: ours is better), p(worse) = {found['p_worse']:.3f}"
    seen += f"; worse on {', '.join(worse)}" if worse else "; worse on no single problem (Holm, 5 %)"
    if library == search_quality.UNJUDGED:
        print(f"no budget, {what}: {seen}", flush=True)
    else:
        verdict(what, found["p_worse"] > 0.05 and not worse, seen, failed)


def pruning(options: Options) -> None:
    """Seconds to the same validation loss."""
    print(search_pruning.__doc__)
    rows = told(search_pruning.compare(*((1, 3) if options.quick else (4, 15))))
    columns = ("workload", "seeds", "loss", "without_s", "asha_s", "times_sooner", "interval", "p", "pruned_share")
    table("seconds to the same validation loss, 4 slots; medians over seeds", columns, rows)
    for row in rows:
        what, failed = f"ASHA at least 2 times sooner on {row['workload']}", row.get("failed", "")
        if failed:
            verdict(what, met=False, seen="nothing was measured", failed=failed)
            continue
        low, high = row["interval"]
        seen = f"{row['times_sooner']:.2f} times sooner, 90 % in {low} to {high}, p(not sooner) = {row['p']:.4f}"
        verdict(what, row["times_sooner"] >= 2, seen)


def cost(options: Options) -> None:
    """Milliseconds a proposal, microseconds a report."""
    print(search_cost.__doc__)
    asks = told(search_cost.asks([100, 1000] if options.quick else [100, 1000, 10_000]))
    table("a proposal after so many trials", ("member", "library", "trials", "ours_ms", "theirs_ms"), asks)
    reports = told(search_cost.reports(1000 if options.quick else 10_000))
    table("a report after so many trials", ("member", "trials", "ours_us", "theirs_us"), reports)
    tpe = [row for row in asks if row["member"] == "tpe"]
    seen = ", ".join(f"{row['ours_ms']:.1f} of {row['theirs_ms']:.1f} ms at {row['trials']:,}" for row in tpe)
    verdict("tpe proposes no slower than hyperopt", all(row["ours_ms"] <= row["theirs_ms"] for row in tpe), seen)
    slowest = max(reports, key=lambda row: row["ours_us"])
    seen = f"the slowest is {slowest['member']} with {slowest['ours_us']:.1f} us"
    verdict("a report costs at most 100 us", slowest["ours_us"] <= 100, seen)


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
    """Runs the parts; one that fails leaves the others to run."""
    parts: dict[str, Callable[[Options], None]] = {"quality": quality, "pruning": pruning, "cost": cost}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=parts, default=list(parts))
    parser.add_argument("--seeds", type=int, help="of quality: 20, or 3 with --quick")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which quality begins no search")
    given = parser.parse_args()
    options = Options(given.quick, given.seeds or (3 if given.quick else 20), given.minutes)
    failed = False
    with tempfile.TemporaryDirectory() as home:
        os.environ["SPARKML_HOME"] = home
        for name in given.only:
            try:
                parts[name](options)
            except Exception:  # noqa: BLE001 - reported, and the other parts are worth having
                failed = True
                traceback.print_exc()
                verdict(name, met=False, seen="see above", failed="the part failed")
    sys.exit(failed)


if __name__ == "__main__":
    main()
