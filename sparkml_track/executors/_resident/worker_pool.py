"""The staff of the resident executor: how many workers there are, who must leave for others, who comes back.

A worker leaves between attempts only: it is given nothing more, and goes when its last attempt has ended. Its place
is queued again at once; Spark starts it when those it made way for have had their turn.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sparkml_track.errors import ExecutorError, PreflightError, SlotsLost
from sparkml_track.executors._resident.launcher import Launcher
from sparkml_track.executors._resident.slot import Limits, Slot
from sparkml_track.executors._resident.turns import TURNS
from sparkml_track.slot.task import UNREACHABLE, Config

__all__ = ["Size", "Unreachable", "WorkerPool"]

_log = logging.getLogger(__name__)
#: Starts in a row without a worker that became ready, after which a slot is given up.
_STARTS = 5
#: Seconds without any worker after which that is logged, again and again.
_LOG_EVERY = 30.0
#: How the bounds of waiting are set; see ``_spark.fleets``.
_SETTING = "spark.sparkml.slots.timeout"


class Unreachable(PreflightError):
    """Slots cannot connect to the driver; attempts can still be sent to them as Spark jobs."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many workers are wanted.

    Attributes:
        parallelism: slots at most, None for all that the launcher has, also those that come later.
        gang: slots that each attempt takes.
    """

    parallelism: int | None = None
    gang: int = 1

    def wanted(self, there: int) -> int:
        """Of so many slots; at least those of one attempt, and none that an attempt cannot use."""
        wanted = there if self.parallelism is None else min(there, self.parallelism)
        return max(self.gang, wanted - wanted % self.gang)

    def kept(self, workers: int) -> int:
        """Of so many that could stay. A gang that has its slots keeps them."""
        return workers if self.gang == 1 else max(self.gang, workers - workers % self.gang)


class WorkerPool:
    """The slots of one executor.

    Args:
        launcher: starts workers.
        config: of every worker, but for the slot.
        limits: bounds of waiting.
        slots: those that there are, with workers that stayed; grows.
        size: how many workers are wanted.
        dismiss: sends a ready worker away; called when it has nothing to do.

    Raises:
        PreflightError: a gang needs more slots than there can be.
    """

    def __init__(
        self,
        launcher: Launcher,
        config: Config,
        limits: Limits,
        slots: list[Slot],
        size: Size,
        dismiss: Callable[[Slot], None],
    ) -> None:
        self._launcher = launcher
        self._config = config
        self._limits = limits
        self._size = size
        self._dismiss = dismiss
        self._came = self._was_whole = False
        self._alive = self._looked = self._logged = self._manned = self._many = time.monotonic()
        self._last_failure = ""
        self._held_back: set[int] = set()
        if size.gang > 1 and 0 < launcher.in_all < size.gang:
            raise PreflightError(self._too_few(launcher.in_all))
        self.slots = slots
        for slot in [slot for slot in slots if slot.connection is None and not launcher.coming(slot.number)]:
            self._launch(slot)
        self._grow()

    @property
    def ready(self) -> int:
        """Workers that take attempts."""
        return sum(slot.takes for slot in self.slots)

    @property
    def expected(self) -> int:
        """Slots that attempts can count on: those at work and those that rest; at the start, all."""
        return sum(slot.takes or slot.rests for slot in self.slots) or len(self.slots)

    def came(self, slot: Slot) -> None:
        """A worker became ready."""
        slot.ready, slot.launches, slot.moving, slot.idle_since = True, 0, False, time.monotonic()
        self._came = True

    def freed(self, slot: Slot) -> None:
        """A worker has nothing to do: it goes now if it is to leave."""
        slot.idle_since = time.monotonic()
        if slot.leaving:
            self._dismiss(slot)

    def close(self) -> None:
        """Nothing is wanted any more. May be called twice."""
        TURNS.leave(self._launcher.place, self)

    def check(self, now: float, waiting: int) -> None:
        """Looks after everything; ``waiting`` attempts, or ranks of gangs, have no slot.

        Raises:
            Unreachable: workers start, and none finds the driver.
            PreflightError: slots run another Python.
            SlotsLost: no worker is there and none came within the bound, or too few for a gang.
            ExecutorError: workers end as soon as they start.
        """
        for slot in self.slots:
            if slot.connection is None and not slot.rests:
                self._relaunch(slot)
        if self._has_turn(waiting):
            self._wake(waiting)
        self._rest(now, waiting)
        if now - self._looked >= self._limits.look:
            self._looked = now
            self._grow()
            self._make_way(now)
            self._move()
            self._count(now)
        if sum(slot.ready or slot.rests for slot in self.slots) >= self._size.gang:
            self._alive = self._logged = self._manned = now
        elif now - self._alive > self._bound:
            raise SlotsLost(self._nobody())
        elif now - self._logged >= _LOG_EVERY:
            self._logged = now
            few = "no worker" if self._size.gang == 1 else f"{self.ready} of the {self._size.gang} workers of a gang"
            _log.warning("%s for %.0f s: %s", few, now - self._manned, self._awaited())

    def lost(self, slot: Slot) -> None:
        """Its worker is silent: ended by force, and another one started."""
        self._launcher.cancel(slot.number)
        self._launch(slot)

    # -- more and fewer

    def _grow(self) -> None:
        """Takes slots that joined, or that would if workers waited for them."""
        there, most = self._launcher.slots(), self._launcher.most
        if most and self._size.parallelism is not None:
            there = max(there, most)
        elif most and all(slot.takes and slot.ahead for slot in self.slots):
            there = max(there, min(most, 2 * len(self.slots)))  # twice as many, as Spark itself asks for executors
        for number in range(len(self.slots), self._size.wanted(there)):
            slot = Slot(number)
            self.slots.append(slot)
            self._launch(slot)

    def _make_way(self, now: float) -> None:
        """Gives up slots that other Spark jobs wait for, at most half, and what is over our share among sweeps."""
        others = self._launcher.others()
        place = self._launcher.place
        if others.active or TURNS.holds(place, self) or TURNS.waits(place, self):
            self._alive = now  # we may be queued behind them, however long they take
        mine = [slot for slot in self.slots if slot.takes]
        keep = len(mine)
        if others.waiting:
            keep = min(keep, max(len(mine) - others.waiting, len(self.slots) // 2))
        if others.sweeps_waiting:
            keep = min(keep, max(1, len(self.slots) // (1 + others.sweeps)))
            if TURNS.waits(place, self):  # it needs all of its slots at one time; single attempts can wait
                keep = min(keep, max(0, len(mine) - others.sweeps_waiting))
        if keep < len(mine):
            keep = min(len(mine), self._size.kept(keep))
        for slot in sorted(mine, key=lambda slot: len(slot.ahead))[: len(mine) - keep]:
            _log.info("slot %d makes way for another Spark job", slot.number)
            self._leave(slot)

    def _move(self) -> None:
        """Leaves Spark executors that are being decommissioned, between attempts; what is lost there is not charged."""
        going = self._launcher.going()
        for slot in self.slots:
            if slot.number in going and slot.ready and not slot.moving:
                _log.info("slot %d moves: its Spark executor on %s is being decommissioned", slot.number, slot.host)
                slot.moving = True
                self._leave(slot)

    def _rest(self, now: float, waiting: int) -> None:
        """Workers that had nothing to do for a while give their slots back."""
        for slot in self.slots:
            idle = slot.takes and not slot.ahead and not waiting
            if idle and now - slot.idle_since > self._limits.idle:
                slot.rests = True
                self._leave(slot)

    # -- gangs

    def _has_turn(self, waiting: int) -> bool:
        """Whether it may have slots: of sweeps whose gangs lack some, the first alone; others let go of theirs."""
        if self._size.gang == 1:
            return True
        place = self._launcher.place
        if self.ready >= self._size.gang:
            self._was_whole = True
            TURNS.hold(place, self)
        elif not waiting:
            TURNS.leave(place, self)
        elif not TURNS.wait(place, self):
            self._hold_back()
            return False
        return True

    def _hold_back(self) -> None:
        for slot in self.slots:
            if slot.takes and not slot.ahead:
                slot.rests = True
                self._leave(slot)
            elif slot.connection is None and not slot.rests:
                self._launcher.cancel(slot.number)
                self._held_back.add(slot.number)
                slot.rests = True

    def _count(self, now: float) -> None:
        """Looks whether there are slots for a gang, or may be."""
        if self._size.gang == 1 or self._launcher.in_all >= self._size.gang:
            return
        there = max(self._launcher.slots(), self.ready)
        if there >= self._size.gang:
            self._many = now
        elif self._was_whole and now - self._many > self._limits.none:
            raise SlotsLost(self._too_few(there))
        elif not self._was_whole and now - self._many > self._limits.few:
            raise PreflightError(self._too_few(there))

    def _too_few(self, there: int) -> str:
        need = self._size.gang
        return (
            f"a gang of {need} needs {need} slots, has {there}: take a gang of at most {there}, or "
            f"{self._launcher.more}"
        )

    def _wake(self, waiting: int) -> None:
        free = sum(slot.takes and not slot.ahead for slot in self.slots)
        for slot in [slot for slot in self.slots if slot.rests and slot.connection is None][: max(0, waiting - free)]:
            if slot.number in self._held_back or self._launcher.failure(slot.number) is not None:
                self._held_back.discard(slot.number)
                slot.rests = False
                self._launch(slot)

    def _leave(self, slot: Slot) -> None:
        slot.leaving = True
        if not slot.ahead:
            self._dismiss(slot)

    # -- starting

    def _relaunch(self, slot: Slot) -> None:
        failure = self._launcher.failure(slot.number)
        if failure is None:
            return
        self._last_failure = failure or self._last_failure
        if failure.startswith(UNREACHABLE) and slot.launches > 1 and not self._came:
            raise Unreachable(
                f"{failure}; set spark.sparkml.broker.host and .port to an address of the driver that Spark executors "
                f"reach{'' if self._size.gang > 1 else ', or take executor=' + repr('jobs')}"
            )
        if "PYTHON_VERSION_MISMATCH" in failure:
            raise PreflightError(f"{failure}; set PYSPARK_PYTHON to the same interpreter on all hosts")
        if slot.launches < _STARTS:
            self._launch(slot)
        elif all(each.launches >= _STARTS and not each.ready for each in self.slots):
            raise ExecutorError(f"workers end as soon as they start: {self._last_failure}")

    def _launch(self, slot: Slot) -> None:
        slot.launches += 1
        self._launcher.launch(replace(self._config, slot=slot.number))

    # -- waiting

    @property
    def _bound(self) -> float:
        came = self._came if self._size.gang == 1 else self._was_whole
        return self._limits.none if came else self._limits.first

    def _awaited(self) -> str:
        bound = f"{self._bound:g} s" if math.isfinite(self._bound) else "no end"
        bound += f", by {_SETTING}" if self._launcher.on_spark else ""
        return f"{self._launcher.waited_for}; it is waited for ({bound}){self._last}"

    @property
    def _last(self) -> str:
        return f" (last failure: {self._last_failure})" if self._last_failure else ""

    def _nobody(self) -> str:
        if self._size.gang > 1:
            came = f"{self.ready} came within {self._bound:g} s"
            return (
                f"a gang of {self._size.gang} needs as many workers, and {came}{self._last}; results so far are kept: "
                f"other work may have the slots; {self._launcher.more}, then resume the sweep"
            )
        nobody = f"no worker is left and none came within {self._bound:g} s{self._last}; results so far are kept"
        if not self._launcher.on_spark:
            return f"{nobody}: look at the memory and the processes of this host, then resume the sweep"
        return (
            f"{nobody}: look at the Spark executors, set {_SETTING} to more seconds (0 waits for ever) if slots are "
            "long in coming, then resume the sweep"
        )
