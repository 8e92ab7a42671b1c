"""The messages about one attempt, between its process, its worker and the driver. See ``messages``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = [
    "Answer",
    "Ask",
    "Done",
    "File",
    "Gather",
    "Gathered",
    "Logged",
    "Meet",
    "Met",
    "Part",
    "Question",
    "Reply",
    "Report",
    "Run",
]


class Run(NamedTuple):
    """Executes an attempt.

    Attributes:
        attempt: its id.
        number: the trial's.
        params: the trial's.
        seed: the trial's.
        unit: names the unit.
        tries: from 1; counts the attempts at this unit.
        timeout: hard limit in seconds.
        gpus: the accelerators that it sees; set by the worker.
        key: known to the process that got this message; set by the worker.
        along: JSON that a front door gave along.
        payload: the blob that holds it; empty where it is behind this message.
        blobs: that the host must have before the attempt begins.
        rank: of a gang, which of its processes this is.
        world: how many processes the attempt has.
        env: variables of the environment that the objective finds.
    """

    attempt: str
    number: int
    params: Mapping[str, object]
    seed: int
    unit: str
    tries: int
    timeout: float | None = None
    gpus: str = ""
    key: str = ""
    along: object = None
    payload: str = ""
    blobs: list[str] = []  # noqa: RUF012  # of a tuple, and never changed
    rank: int = 0
    world: int = 1
    env: Mapping[str, object] = {}  # likewise


class Report(NamedTuple):
    """What an attempt reported; ``number`` counts its reports from 0."""

    attempt: str
    number: object
    metrics: object
    step: object
    time: object


class Logged(NamedTuple):
    """What an attempt logged through MLflow: a list of values, each a list of its kind and what belongs to it."""

    attempt: str
    values: object


class Ask(NamedTuple):
    """The attempt waits for the decision on that report."""

    attempt: str
    number: int


class Answer(NamedTuple):
    """The decision."""

    attempt: str
    number: int
    stop: bool


class Question(NamedTuple):
    """Text of an attempt for the front door of its sweep; where it waits, for a reply of the same number."""

    attempt: str
    number: int
    body: str
    waits: bool


class Reply(NamedTuple):
    """Text of the front door; empty if the sweep has none."""

    attempt: str
    number: int
    body: str


class Meet(NamedTuple):
    """Asks for an address and a port where the ranks of a gang can meet; the attempt is that of rank 0."""

    attempt: str


class Met(NamedTuple):
    """They meet there; the port is kept free until the attempt begins."""

    attempt: str
    address: str
    port: int


class Gather(NamedTuple):
    """The blob is what a rank gives to all; it waits for what the others give with the same number, from 1."""

    attempt: str
    number: int


class Gathered(NamedTuple):
    """The blob is what all ranks gave, one after the other, with the size of each; or why they cannot."""

    attempt: str
    number: int
    sizes: list[int]
    refused: str = ""


class Part(NamedTuple):
    """The blob is what an attempt gives back from an offset on; 0 begins anew, and the last part is behind Done."""

    attempt: str
    at: int
    key: str = ""


class File(NamedTuple):
    """The blob is a piece of what an attempt left; "." says that it lies on shared storage."""

    attempt: str
    path: str
    at: int


class Done(NamedTuple):
    """An attempt ended.

    Attributes:
        attempt: its id.
        state: a terminal one.
        started: seconds since the epoch.
        duration: seconds.
        metrics: what it returned.
        reason: one of ``schema.REASONS`` unless it finished.
        message: for a person.
        log: head and tail of its output.
        clean: its process may be used again.
        threads: of its process that opening data has started.
        key: that of its ``Run``.
        payload: bytes that it gives back, in all.
        usage: seconds of processors and bytes of memory at its peak, None for what is not known.
    """

    attempt: str
    state: object
    started: object
    duration: object
    metrics: object = None
    reason: object = ""
    message: object = ""
    log: object = ""
    clean: bool = False
    threads: int = 0
    key: str = ""
    payload: int = 0
    usage: object = None
