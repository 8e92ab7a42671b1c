"""What happens to a sweep and when: a pure function of the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

__all__ = ["KINDS", "Fault", "Plan", "plan"]

#: What a fault does. "driver" comes once; all others at least once.
KINDS = ("executor", "worker", "freeze", "server", "driver")
#: Seconds without a sign of life after which the driver gives a worker up; a long freeze takes more.
SILENT = 15.0


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        at: how many attempts have begun when it comes: the same place in the sweep on a fast and on a slow machine.
        kind: one of ``KINDS``.
        pick: from 0 to 1; chooses among the processes it could hit.
        lasts: seconds to its end, for those that have one.
    """

    at: int
    kind: str
    pick: float
    lasts: float = 0.0


@dataclass(frozen=True)
class Plan:
    """A sweep and what happens to it.

    Attributes:
        seed: all follows from it.
        trials: of the sweep.
        sampler: its name.
        pruner: its name, or None.
        isolation: of the sweep.
        faults: in the order they come.
        units: of each trial.
    """

    seed: int
    trials: int
    sampler: str
    pruner: str | None
    isolation: str
    faults: tuple[Fault, ...]
    units: int = 1

    def __str__(self) -> str:
        how = f"{self.trials} trials, {self.sampler}, pruner {self.pruner}, {self.isolation}, units {self.units}"
        lines = [f"  at {f.at}: {f.kind}, pick {f.pick:.2f}, lasts {f.lasts:.1f} s" for f in self.faults]
        return "\n".join([f"seed {self.seed}: {how}", *lines])


def plan(seed: int, trials: int, more: int) -> Plan:
    """Makes the plan of a seed.

    Args:
        seed: any number.
        trials: of the sweep.
        more: faults beyond the driver's death, one of each other kind and a long freeze after the driver's death,
            whose late results the driver that ends the sweep must count.
    """
    rng = random.Random(seed)
    died = rng.uniform(0.25, 0.5)
    places = [(died, "driver", 0.0), (rng.uniform(died + 0.05, 0.65), "freeze", SILENT + rng.uniform(2.0, 5.0))]
    kinds = [*KINDS[:-1], *rng.choices(KINDS[:-1], [3, 3, 1, 2], k=more)]
    places += [(rng.uniform(0.03, 0.85), kind, _lasts(kind, rng)) for kind in kinds]
    faults = [Fault(int(at * trials), kind, rng.random(), lasts) for at, kind, lasts in places]
    made = Plan(
        seed,
        trials,
        rng.choice(["random", "tpe", "optuna-tpe"]),
        rng.choice([None, "median"]),
        rng.choice(["recycled", "fresh"]),
        tuple(sorted(faults, key=lambda fault: fault.at)),
    )
    # A pruner sees a trial of several units after each of them, not in the middle of one.
    return made if made.pruner else replace(made, units=rng.choice([1, 2, 3]))


def _lasts(kind: str, rng: random.Random) -> float:
    if kind == "freeze":
        return rng.choice([rng.uniform(1.0, 8.0), SILENT + rng.uniform(2.0, 5.0)])
    return rng.uniform(0.5, 6.0) if kind == "server" else 0.0
