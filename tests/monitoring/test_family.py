"""Many columns judged at one time: a year in which nothing changed raises no more alarms than was said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from sparkml_track.monitoring._counting.counts import EVERYTHING, Counted, Part, Sums, Window
from sparkml_track.monitoring._counting.places import Cuts
from sparkml_track.monitoring._counting.slots import HEAD
from sparkml_track.monitoring._found import DRIFT, Drift
from sparkml_track.monitoring._judging.drift import drift
from sparkml_track.monitoring._judging.family import adjusted
from sparkml_track.monitoring._spec import Guards

MONTHS, COLUMNS, YEARS = 12, 20, 12


def test_adjusted_values_agree_with_scipy() -> None:
    p_values = np.random.default_rng(3).random(50) ** 3
    assert adjusted(p_values.tolist()) == pytest.approx(false_discovery_control(p_values))
    assert (adjusted([]), adjusted([0.2])) == ([], [0.2])


def sums(counts: np.ndarray) -> Sums:
    found = Sums.empty(len(counts))
    found.totals[HEAD:] = counts
    return found


def year(random: np.random.Generator, rows: int, guards: Guards, moved: int = 0) -> list[Drift]:
    """Twelve months of rows drawn from those of the baseline; the first columns may move in all of them."""
    shares = {f"c{n}": random.dirichlet(np.full(int(random.integers(2, 60)), 0.7)) for n in range(COLUMNS)}
    base = {name: random.multinomial(20_000, share) for name, share in shares.items()}
    draw = {name: counts / counts.sum() for name, counts in base.items()}
    draw |= {name: np.roll(draw[name], 1) for name in list(draw)[:moved]}
    months = {
        Window(f"2013-{month:02d}", False): {
            name: sums(np.concatenate([[0], random.multinomial(rows, p), [0]])) for name, p in draw.items()
        }
        for month in range(1, MONTHS + 1)
    }
    inside = {name: sums(np.concatenate([[0], counts, [0]])) for name, counts in base.items()}
    cuts = {name: Cuts(tuple(map(str, range(len(share)))), text=True) for name, share in shares.items()}
    return drift(Counted({EVERYTHING: Part({Window("base", True): inside} | months)}, cuts), guards)


@pytest.mark.parametrize("rows", [500, 3_000])
def test_a_year_of_resamples_of_the_baseline_raises_no_more_than_the_stated_share_of_alarms(rows: int) -> None:
    random = np.random.default_rng(17)
    # No guard but that of many columns.
    bold = Guards(min_rows=1, psi=1e-9, alpha=0.05)
    found = [year(random, rows, bold) for _ in range(YEARS)]
    alarmed = [len({each.window for each in one if each.verdict == DRIFT}) for one in found]
    # Of 144 windows 5 % are 7.2; 15 or more would be seen once in 250 times.
    assert sum(alarmed) <= 14
    # Each column judged alone would raise an alarm in most windows.
    alone = [{each.window for each in one if each.p_value <= 0.05} for one in found]
    assert sum(map(len, alone)) > 2 * max(sum(alarmed), 10)


def test_a_year_of_resamples_raises_none_with_the_usual_guards() -> None:
    random = np.random.default_rng(18)
    assert [each for each in year(random, 1_000, Guards()) if each.verdict == DRIFT] == []


def test_columns_that_moved_are_found_among_many_that_did_not() -> None:
    found = year(np.random.default_rng(19), 2_000, Guards(alpha=0.05), moved=3)
    alarms = {each.column for each in found if each.verdict == DRIFT}
    assert alarms == {"c0", "c1", "c2"}
