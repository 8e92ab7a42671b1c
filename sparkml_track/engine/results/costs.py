"""What a sweep took, from its accepted results."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from sparkml_track.engine.results.summary import Result
from sparkml_track.trial import State, Usage

__all__ = ["Costs", "costs_of"]

_WASTED = {State.FAILED, State.KILLED}


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds, by the slots' clocks.

    Attributes:
        wall: from the first start of a trial to the last end.
        used: of slots, over accepted attempts.
        wasted: the part of that which went to failed and killed trials.
        idle: of slots, while they could take attempts, beyond that: also what lost attempts took. Of drivers that ended
            the sweep; None if none did.
        price: of an hour of one slot, in any currency; None for no price.
        lost: attempts that ended because what they ran on went away; nobody knows how long they took.
        slowest: the longest trial.
        slowest_trial: its number; None if no trial began.
        cpu: seconds of processors, over accepted attempts; None if it is not known of any.
        memory: bytes, the highest peak of an accepted attempt; None likewise.
    """

    wall: float
    used: float
    wasted: float
    lost: int
    slowest: float
    slowest_trial: int | None = None
    idle: float | None = None
    price: float | None = None
    cpu: float | None = None
    memory: int | None = None

    @property
    def cost(self) -> float | None:
        """The price of all slot seconds, used (wasted ones among them) and idle; None without a price."""
        return None if self.price is None else self.price * (self.used + (self.idle or 0.0)) / 3600

    def metrics(self) -> dict[str, float]:
        """As the parent run has them."""
        return {
            "seconds_wall": self.wall,
            "slot_seconds_used": self.used,
            "slot_seconds_wasted": self.wasted,
            "trial_seconds_max": self.slowest,
            "attempts_lost": float(self.lost),
            **{
                name: value
                for name, value in (
                    ("slot_seconds_idle", self.idle),
                    ("cost", self.cost),
                    ("cpu_seconds", self.cpu),
                    ("memory_bytes_max", self.memory),
                )
                if value is not None
            },
        }


def costs_of(results: Collection[Result], idle: float | None = None, price: float | None = None) -> Costs:
    """The costs of all results, in any order. Trials that never began have no times, and cost nothing.

    Args:
        results: of the trials.
        idle: see ``Costs``.
        price: likewise.
    """
    begun = [one for one in results if one.started]
    slowest = max(begun, key=lambda one: (one.duration, -one.number), default=None)
    usage = Usage.of_all(one.usage for one in results)
    ends = [one.started + one.duration for one in begun]
    return Costs(
        wall=max(ends) - min(one.started for one in begun) if begun else 0.0,
        used=math.fsum(one.slot_seconds for one in begun),
        wasted=math.fsum(one.slot_seconds for one in begun if one.state in _WASTED),
        lost=sum(one.attempts - 1 for one in results),
        slowest=0.0 if slowest is None else slowest.duration,
        slowest_trial=None if slowest is None else slowest.number,
        idle=idle,
        price=price,
        cpu=usage.cpu,
        memory=usage.memory,
    )
