"""What the objective gets as ``trial``."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Protocol

from ..host.paths import HostPaths, Places
from ..wire.messages import Run
from .door import Door, DoorLink
from .payload import Payload
from .returned import BadResult, named_numbers, show, whole_number
from .threads import thread_count

__all__ = ["GATHER_LIMIT", "Data", "Link", "TrialContext"]

#: Bytes that the ranks of a gang exchange at one time, each its share of them: they pass the driver.
GATHER_LIMIT = 4 << 20


class Link(DoorLink, Protocol):
    """How an attempt talks to whoever started it.

    Attributes:
        payload: what it was given, and takes what it gives back.
    """

    payload: Payload

    def report(self, index: int, metrics: dict[str, float], step: int, when: float) -> None:
        """Sends report number ``index``; does not wait."""

    def decision(self, index: int) -> bool:
        """Waits for the decision on report ``index``."""

    def gather(self, number: int, value: bytes) -> list[bytes]:  # noqa: ARG002  # of those that have several ranks
        """Gives a value to all ranks, and waits for theirs, in their order; alone there is nobody to wait for.

        Raises:
            RuntimeError: another rank has ended.
        """
        return [value]


class Data(Mapping[str, object]):
    """The sweep's data by name, opened when first read; the process keeps what is mapped, an attempt its copies.

    Attributes:
        threads: that opening data started; they stay and belong to no attempt.
    """

    def __init__(self, entries: Mapping[str, tuple[str, Callable[[str], object]]], blobs: str) -> None:
        self._entries = entries
        self._blobs = blobs
        self.threads = 0
        self._open: dict[str, object] = {}

    def renew(self) -> None:
        """Forgets copies, which the last attempt may have changed."""
        for name, (_, opener) in self._entries.items():
            if getattr(opener, "copies", False):
                self._open.pop(name, None)

    def __getitem__(self, name: str) -> object:
        if name not in self._open:
            if name not in self._entries:
                raise KeyError(f"the sweep has no data {name!r}; there is: {', '.join(self._entries) or 'none'}")
            digest, opener = self._entries[name]
            before = thread_count()
            self._open[name] = opener(os.path.join(self._blobs, digest))
            self.threads += max(0, thread_count() - before)
        return self._open[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class TrialContext:
    """One attempt at a trial, as the objective sees it.

    Attributes:
        params: shaped like the space.
        number: the trial's, from 0.
        unit: which part of the trial, from 0: the fold, where a trial has several units.
        seed: for the objective's randomness; the same for each attempt at this trial.
        attempt: from 1; more than 1 when infrastructure was lost.
        rank: of a gang, which of its processes this is, from 0; what the first one reports, returns and leaves counts.
        world_size: how many processes the attempt has; 1 unless the sweep has gangs.
        data: what ``data=`` of the sweep held, opened when read.
        door: for the front door of the sweep alone.
    """

    def __init__(self, run: Run, data: Mapping[str, object], link: Link, places: Places) -> None:
        # Its own, whatever it does to them; in the driver's process they are the sweep's.
        self.params: dict[str, object] = deepcopy(dict(run.params))
        self.number = run.number
        self.seed = run.seed
        self.attempt = run.tries
        self.rank, self.world_size = run.rank, run.world
        self._id, self._unit = run.attempt, run.unit
        self.unit = int(run.unit.rpartition(".")[2] or 0)
        self.data = data
        self.door = Door(run.along, link)
        self._link = link
        self._places = places
        self._reports = self._gathers = 0
        self._stop: bool | None = False

    def report(self, metrics: Mapping[str, float], step: int) -> None:
        """Sends metrics of one step; returns at once. Of a gang rank 0 does; what others report is dropped.

        Args:
            metrics: names to numbers; must hold the sweep's metric if a pruner is to decide.
            step: rises; epochs, iterations or whatever the objective counts.

        Raises:
            BadResult: more metrics, longer names or other values than can be recorded; names the limit.
        """
        if not isinstance(metrics, Mapping):
            raise BadResult(f"reported {show(metrics)}; allowed is a mapping of metric names to numbers, and a step")
        checked, number = named_numbers(metrics, "reported"), whole_number(step, "reported step")
        if self.rank:
            return
        self._link.report(self._reports, checked, number, time.time())
        self._reports += 1
        self._stop = None

    def should_stop(self) -> bool:
        """Whether to stop; waits for the decision on the last report. Return the metrics so far if it is true.

        Of a gang rank 0 hears of it, and all end when that returns; others are always to go on.
        """
        if self._stop is None:
            self._stop = self._link.decision(self._reports - 1)
        return self._stop

    def all_gather(self, value: object) -> list[object]:
        """Gives a small value to all ranks of a gang and waits for theirs; all must call it, as often as each other.

        Values are pickled and pass the driver, which does not read them; a rank unpickles what the others gave.

        Args:
            value: what can be pickled; in a gang of n up to 4 MiB / n.

        Returns:
            The values of all ranks, in their order; of this one a copy, too.

        Raises:
            ValueError: it is too large.
            RuntimeError: another rank has ended, so that it will give nothing.
        """
        data = pickle.dumps(value)
        if len(data) > GATHER_LIMIT // self.world_size:
            raise ValueError(
                f"all_gather got a value of {len(data):,} bytes; allowed are {GATHER_LIMIT // self.world_size:,} in a "
                f"gang of {self.world_size}: exchange large arrays by torch.distributed, or by files on shared storage"
            )
        self._gathers += 1
        return list(map(pickle.loads, self._link.gather(self._gathers, data)))  # of the same objective

    def barrier(self) -> None:
        """Waits until all ranks of a gang have called it. Raises as ``all_gather``."""
        self.all_gather(None)

    @property
    def payload(self) -> bytes:
        """What a front door gave with this attempt; empty in a sweep. Read anew each time where it is large."""
        return self._link.payload.read()

    def give(self, data: bytes) -> None:
        """Sends bytes back to a front door, with the outcome; the last call counts, and a sweep drops them.

        Raises:
            BadResult: they are more than ``payload_limit``, or are not bytes.
        """
        self._link.payload.give(data)

    def file(self, name: str) -> str:
        """The path here of a file that a front door gave with this attempt."""
        paths = HostPaths(self._places.host)
        return paths.blob(paths.file(name))

    @property
    def artifact_dir(self) -> str:
        """A folder; what is left in it goes to the child run. Of a gang that of rank 0 does, the others are removed."""
        places = Places(self._places.host) if self.rank else self._places
        return places.artifact_dir(self._id)

    @property
    def checkpoint_dir(self) -> str:
        """A folder kept across the attempts of this unit: on one host, or on all where ``checkpoint_root`` is set.

        An attempt that was given up may live on for a moment and still write: write under another name, then rename.
        The ranks of a gang have one folder on each host, or one in all on shared storage: let rank 0 write.
        """
        return self._places.checkpoint_dir(self._unit)

    @property
    def pruned(self) -> bool:
        """Whether the decision was to stop."""
        return self._stop is True
