"""What to try next, from what a sweep found: sentences with the numbers that they rest on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sparkml_track.dashboards.blocks import Markup, note, section
from sparkml_track.dashboards.runs.seen import STATES, UNSET, Seen
from sparkml_track.dashboards.runs.sweep.drawn import drawn_rows, plot_trials
from sparkml_track.errors import SparkmlError
from sparkml_track.goal import Goal
from sparkml_track.plots import shares_of
from sparkml_track.readable import number
from sparkml_track.space import LogUniform, QLogUniform, parse
from sparkml_track.trial import State

__all__ = ["advice", "advice_section"]

#: Fewer finished trials show nothing.
FEWEST = 20
#: A value this near to the end of its range, as a share of it, lies at the edge.
_EDGE = 0.05
#: A parameter that explains less than this share of the value does not matter.
_IDLE = 0.01
#: Of fewer trials, in all and for each parameter, shares say nothing.
_FEW_FOR_SHARES, _FEW_FOR_SHARE = 50, 10
#: A failure share in one part of the space that is so many times that of the rest is concentrated there.
_TIMES = 3.0
_FEW_BAD = 5


def advice_section(seen: Seen, goal: Goal) -> Markup:
    """The same as a list."""
    found = advice(seen, goal)
    if not found:
        ended = len(seen.finished(goal))
        why = f"After {ended} finished trials there is nothing to say; {FEWEST} are needed." if ended < FEWEST else ""
        return section("What to try next", note(why or "Nothing stands out: the best values lie inside their ranges."))
    lines = Markup().join(map(Markup("<li>{}</li>").format, found))
    return section("What to try next", Markup("<ul>{}</ul>").format(lines))


def advice(seen: Seen, goal: Goal) -> list[Markup | str]:
    """Sentences; none where too few trials have finished, or where nothing stands out."""
    failures = list(_failures(seen))
    if len(seen.finished(goal)) < FEWEST:
        return failures
    return [*_edges(seen, goal), *_idle(seen, goal), *failures, *_pruned(seen), *_extend(seen, goal)]


def _edges(seen: Seen, goal: Goal) -> Iterator[str]:
    """The best trials lie at the end of a range: what lies beyond it may be better."""
    ranked = seen.ranked(goal)
    top = ranked[: max(5, min(10, len(ranked) // 10))]
    for name, low, high, log in _ranges(seen):
        numbers = seen.numbers_of(name)
        if numbers is None or not math.isfinite(numbers[top[0]]):
            continue
        places = [_place(each, low, high, log) for each in numbers[top].tolist() if math.isfinite(each)]
        middle = sorted(places)[len(places) // 2]
        for end, near, far in ((low, middle, places[0]), (high, 1 - middle, 1 - places[0])):
            if near <= _EDGE and far <= _EDGE:
                yield (
                    f"The best value of {name} is {number(float(numbers[top[0]]))}, at the end of its range "
                    f"({number(low)} to {number(high)}), and so are most of the best {len(top)}: "
                    f"widen the range beyond {number(end)}."
                )


def _place(value: float, low: float, high: float, log: bool) -> float:
    if log:
        value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _ranges(seen: Seen) -> Iterator[tuple[str, float, float, bool]]:
    """Name, ends, and whether evenly in the logarithm, of parameters with one range."""
    space = seen.described.get("space")
    if not isinstance(space, Mapping):
        return
    try:
        leaves = parse(space).leaves.values()
    except SparkmlError:
        return
    found: dict[str, set[tuple[float, float, bool]]] = {}
    for leaf in leaves:
        low, high = getattr(leaf.what, "low", None), getattr(leaf.what, "high", None)
        if low is not None and high is not None and low < high:
            log = isinstance(leaf.what, LogUniform | QLogUniform)
            found.setdefault(leaf.name, set()).add((float(low), float(high), log))
    yield from ((name, *ranges.pop()) for name, ranges in found.items() if len(ranges) == 1)


def _idle(seen: Seen, goal: Goal) -> Iterator[str]:
    """A parameter that explains nothing only makes the space larger."""
    rows = drawn_rows(seen, goal, 2000)
    shares = shares_of(plot_trials(seen, goal, rows), goal)
    if len(shares) < 2 or len(rows) < max(_FEW_FOR_SHARES, _FEW_FOR_SHARE * len(shares)):
        return
    # One that is in few trials may well matter there.
    usual = {name for name in shares if sum(seen.params[name][row] is not UNSET for row in rows) * 2 >= len(rows)}
    idle = [name for name, share in shares.items() if share < _IDLE and name in usual]
    best = seen.best(goal)
    if idle and best is not None:
        values = seen.params_of(best)
        fixed = ", ".join(f"{name} = {_text(values[name])}" for name in idle[:5] if name in values)
        more = f" Those of the best trial are {fixed}." if fixed else ""
        yield f"{_listed(idle)} explained less than 1 % of the differences of {goal.metric}: fix the value.{more}"


def _failures(seen: Seen) -> Iterator[str]:
    """Failures that lie in one part of the space."""
    import numpy as np

    ended = seen.order
    bad = np.isin(seen.states, [STATES.index(State.FAILED)])
    total = int(bad[ended].sum())
    if total < _FEW_BAD:
        return
    best: tuple[float, str] | None = None
    for name, where, inside in _parts(seen):
        here = inside[ended]
        count, caught = int(here.sum()), int((here & bad[ended]).sum())
        rest = len(ended) - count
        if not rest or count < _FEW_BAD or caught < max(_FEW_BAD, total // 2):
            continue
        share, other = caught / count, (total - caught) / rest
        if share >= _TIMES * max(other, 0.01) and (best is None or share > best[0]):
            said = f"{caught:,} of {total:,} failures lie where {name} {where}, where {share:.0%} of trials fail"
            best = share, f"{said}, elsewhere {other:.1%}: leave this part out, or look at the messages there."
    if best is not None:
        yield best[1]


def _parts(seen: Seen) -> Iterator[tuple[str, str, Any]]:
    """Parts of the space: quarters of a number's values, and each of few choices."""
    import numpy as np

    for name, column in seen.params.items():
        numbers = seen.numbers_of(name)
        if numbers is not None and len(set(column)) > 8:
            finite = numbers[np.isfinite(numbers)]
            first, last = (float(each) for each in np.quantile(finite, (0.25, 0.75)))
            yield name, f"is at most {number(first)}", numbers <= first
            yield name, f"is at least {number(last)}", numbers >= last
            continue
        texts = np.array([_text(value) for value in column], dtype=object)
        kinds = sorted(set(texts))
        for text in kinds if 1 < len(kinds) <= 20 else ():
            yield name, f"is {text}", texts == text


def _pruned(seen: Seen) -> Iterator[str]:
    """Whether the pruner does what it is there for."""
    counts, pruner = seen.counts, seen.described.get("pruner")
    share = counts.pruned / max(1, seen.over)
    if pruner and not counts.pruned:
        yield f"The pruner {_name(pruner)} ended none of {seen.over:,} trials: do they report, and early enough?"
    elif share > 0.9:
        yield f"{share:.0%} of trials were pruned, so few show what they can do: let the pruner wait for more steps."
    elif not pruner and seen.curves[2] > seen.over // 2:
        yield "Most trials report step by step, and no pruner is set: pruner: median would end the bad ones early."


def _extend(seen: Seen, goal: Goal) -> Iterator[Markup]:
    """Whether the end of the sweep still found better values."""
    improved, over = seen.improved(goal), seen.over
    if seen.ended is None or len(improved) < 2:
        return
    place = int((seen.order == improved[-1]).nonzero()[0][0])
    if place >= over * 0.9:
        more = max(seen.counts.planned, over) * 3 // 2
        said = "The best so far became better in the last 10 % of the trials ({} of {} had ended): extend the sweep."
        way = Markup(" <code>sparkml-track extend {} --max-trials {}</code>").format(seen.sweep, more)
        yield Markup("{}{}").format(said.format(f"{place + 1:,}", f"{over:,}"), way)
    elif place < over // 2 and over >= 2 * FEWEST:
        said = "Nothing better was found after {} of {} trials: fewer would have done, or the space is used up."
        yield Markup("{}").format(said.format(f"{place + 1:,}", f"{over:,}"))


def _listed(names: Sequence[str]) -> str:
    few = list(names[:5])
    more = f" and {len(names) - 5} others" if len(names) > 5 else ""
    return ", ".join(few) + more


def _name(value: object) -> str:
    return str(value.get("name", value)) if isinstance(value, Mapping) else str(value)


def _text(value: object) -> str:
    return "not set" if value is UNSET else number(value) if isinstance(value, float) else str(value)[:40]
