"""Journals: what happened in a sweep, on disk before anything else learns of it.

    _base      the contract
    _memory    the twin, over a dictionary
    _file      journals on a file system
    _objects   journals in an object store
    _segments  records in numbered segments of a store, under a lease
    _store     where the bytes of one journal lie
    _lines     the format of records
    _chain     the segments that count, in order
    _follow    what was appended since the last look
    _lease     taking, keeping and giving back the lease
    _claims    lease files
    _held      what the second driver of a sweep is shown
    _process   which process on which machine
    _home      whether a folder can be a home
    _errors    errors of the operating system become ours

A driver opens one with ``open_journal``; ``read``, ``follow`` and ``sweeps`` look without taking the lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sparkml_track.home import Home
from sparkml_track.journals._base import Holder, Journal, Record, SweepEntry
from sparkml_track.journals._file import (
    check_sweep,
    first_file,
    follow_file,
    last_file,
    list_sweeps,
    open_file,
    read_file,
    stop_file,
)
from sparkml_track.journals._follow import Appended, Place
from sparkml_track.journals._home import problem_with_folder
from sparkml_track.journals._memory import open_memory
from sparkml_track.journals._objects.opened import (
    first_object,
    follow_objects,
    last_object,
    list_objects,
    open_objects,
    problem_with_store,
    read_objects,
    stop_objects,
)
from sparkml_track.journals._process import alive, here, started

__all__ = [
    "Appended",
    "Holder",
    "Journal",
    "Place",
    "Record",
    "SweepEntry",
    "alive",
    "ask_to_stop",
    "first",
    "follow",
    "here",
    "last",
    "open_journal",
    "problem_with_home",
    "read",
    "started",
    "sweeps",
]


def open_journal(home: Path | None, sweep: str) -> Journal:
    """Opens the journal of a sweep for its driver, and takes the lease; makes the journal if there is none.

    Args:
        home: the folder that holds all state; None keeps the journal in memory, where nobody can open it again.
        sweep: the sweep id, 1 to 64 letters, digits, "_" and "-".

    Raises:
        SpecError: the id is not valid.
        LeaseHeld: a live driver has the sweep. One on another host is watched for a heartbeat for at most 30 s.
        JournalError: the journal cannot be written, is damaged, or was written by a newer release.
    """
    if home is None:
        return open_memory(check_sweep(sweep))
    if store := Home(home).journal_store:
        return open_objects(store, sweep)
    return open_file(home, sweep)


def read(home: Path, sweep: str) -> Iterator[Record]:
    """The records of a sweep, oldest first, without the lease; also while its driver writes more.

    What is torn at the end is left out without a word: it may be what the driver is writing now.

    Raises:
        SpecError: the id is not valid.
        JournalError: there is no such journal, it is damaged, or was written by a newer release.
    """
    store = Home(home).journal_store
    return read_objects(store, sweep) if store else read_file(home, sweep)


def first(home: Path, sweep: str) -> Record | None:
    """The oldest record of a sweep, its plan, without the lease; None if it has none. Quick, as ``last``.

    Raises:
        SpecError, JournalError: as ``read``.
    """
    store = Home(home).journal_store
    return first_object(store, sweep) if store else first_file(home, sweep)


def follow(home: Path, sweep: str, since: Place | None = None) -> Iterator[Appended]:
    """What was appended to a journal since the last look, without the lease, in portions of some megabytes.

    Reads and checks that alone, and is quick: 300,000 records take a second, none a few milliseconds. All portions
    together are what ``read`` gives. Nothing comes where nothing was appended.

    Args:
        home: the state folder.
        sweep: the sweep id.
        since: the place of the last portion that was taken; None for the beginning.

    Raises:
        SpecError, JournalError: as ``read``.
    """
    store = Home(home).journal_store
    return follow_objects(store, sweep, since) if store else follow_file(home, sweep, since)


def last(home: Path, sweep: str) -> Record | None:
    """The newest record of a sweep, without the lease; None if it has none. Decodes no other, so it is quick.

    Raises:
        SpecError, JournalError: as ``read``.
    """
    store = Home(home).journal_store
    return last_object(store, sweep) if store else last_file(home, sweep)


def ask_to_stop(home: Path, sweep: str) -> Holder | None:
    """Asks the driver that runs a sweep to end it in good order, as Ctrl-C does, wherever it is.

    It sees that within some seconds, over NFS within a minute; then it ends what runs, which takes some more, and gives
    the lease back.

    Args:
        home: the state folder.
        sweep: the sweep id.

    Returns:
        The driver; None if nobody runs the sweep.

    Raises:
        SpecError: the id is not valid.
        JournalError: there is no such journal, or it cannot be written.
    """
    store = Home(home).journal_store
    return stop_objects(store, sweep) if store else stop_file(home, sweep)


def sweeps(home: Path, wanted: Callable[[str, int], bool] = lambda *_: True) -> Sequence[SweepEntry]:
    """Sweeps with a journal under a home, the last modified first.

    Args:
        home: the state folder.
        wanted: called with a sweep's id and when a file of it was made or removed last, in ns; others are not looked
            at, which takes a while.

    Raises:
        JournalError: the folder cannot be read.
    """
    store = Home(home).journal_store
    return list_objects(store, wanted) if store else list_sweeps(home, wanted)


def problem_with_home(home: Path) -> str | None:
    """Why a sweep cannot keep its journal under ``home``, found out by using it; None if it can.

    Returns:
        One sentence with the way out.
    """
    store = Home(home).journal_store
    return problem_with_store(store) if store else problem_with_folder(home)
