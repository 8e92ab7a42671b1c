"""How far a sweep is, in words and as plain values: the same on a terminal, in a log, in a notebook and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkml_track.readable import duration, number, short_text

if TYPE_CHECKING:
    from sparkml_track.engine.loop.progress import Progress, RunningNow

__all__ = ["best", "counts", "params", "plain", "rate", "running_now", "sentence", "slots"]

#: Trials a second, below which they are counted by the minute.
_SLOW = 1.0


def sentence(progress: Progress) -> str:
    """What is worth saying beside the number of trials that are done."""
    parts = [*counts(progress)]
    parts += filter(None, (slots(progress), best(progress), rate(progress)))
    if progress.remaining is not None and not progress.ended:
        parts.append(f"{duration(progress.remaining)} left")
    if progress.note:
        parts.append(progress.note)
    return ", ".join(parts)


def counts(progress: Progress) -> list[str]:
    """Trials by what became of them; what there is none of is left out, but for running and failed ones."""
    parts = [] if progress.ended else [f"{progress.running} running"]
    if progress.waiting and not progress.running:
        parts.append(f"{progress.waiting} waiting for slots")
    parts += [f"{count} {name}" for name, count in (("pruned", progress.pruned), ("killed", progress.killed)) if count]
    return [*parts, f"{progress.failed} failed"]


def slots(progress: Progress) -> str:
    """Slots that execute something, of all; empty while there are none, and at the end."""
    return f"{progress.busy} of {progress.slots} slots busy" if progress.slots and not progress.ended else ""


def best(progress: Progress, most: int = 80) -> str:
    """The best so far with its params in at most so many characters; empty before the first."""
    if progress.best is None:
        return ""
    found = f"best {number(progress.best)} (trial {progress.best_number})"
    return f"{found}: {params(progress.best_params, most)}" if progress.best_params else found


def params(given: Mapping[str, object], most: int = 80) -> str:
    """Flattened params on one line, in at most so many characters."""
    return short_text(", ".join(f"{name}={short_text(value, 40)}" for name, value in given.items()), most)


def rate(progress: Progress) -> str:
    """Trials a second, or a minute where they are slow; empty before the first."""
    if not progress.rate:
        return ""
    return f"{progress.rate:.1f} trials/s" if progress.rate >= _SLOW else f"{60 * progress.rate:.1f} trials/min"


def running_now(one: RunningNow, most: int = 80) -> tuple[str, str, str, str]:
    """A trial that runs: its number, how long, what it reported last, its params."""
    value = "" if one.value is None else f"{number(one.value)} at step {one.step}"
    return str(one.number), duration(one.seconds), value, params(one.params, most)


def plain(progress: Progress) -> dict[str, object]:
    """The same for programs: what JSON knows, under names that stay; what is not known is None."""
    return {
        "sweep": progress.name,
        "metric": progress.metric,
        "planned": progress.planned,
        "done": progress.done,
        "finished": progress.finished,
        "pruned": progress.pruned,
        "failed": progress.failed,
        "killed": progress.killed,
        "running": progress.running,
        "waiting": progress.waiting,
        "slots": progress.slots,
        "busy": progress.busy,
        "best": _finite(progress.best),
        "best_trial": progress.best_number,
        "best_params": None if progress.best_params is None else _plain(progress.best_params),
        "rate": round(progress.rate, 6),
        "elapsed": round(progress.elapsed, 3),
        "remaining": None if progress.remaining is None else round(progress.remaining, 3),
        "note": progress.note,
        "ended": progress.ended,
    }


def _plain(given: Mapping[str, object]) -> dict[str, object]:
    return {name: _value(value) for name, value in given.items()}


def _value(value: object) -> object:
    if isinstance(value, float):
        return _finite(float(value))
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _finite(value: float | None) -> float | None:
    """JSON has no nan."""
    return value if value is None or math.isfinite(value) else None
