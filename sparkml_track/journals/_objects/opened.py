"""Journals of a home in an object store: opened, read and listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sparkml_track.adapters.objects.client import FoundObject
from sparkml_track.address import ObjectAddress
from sparkml_track.errors import JournalError
from sparkml_track.journals._base import Holder, Record, SweepEntry
from sparkml_track.journals._chain import last_record, newest, records, walk
from sparkml_track.journals._file import check_sweep
from sparkml_track.journals._follow import Appended, Place, first_record, follow
from sparkml_track.journals._lease import Pulse
from sparkml_track.journals._objects.asking import Patience, client_of
from sparkml_track.journals._objects.lease import ObjectLease, live_holder, newest_lease
from sparkml_track.journals._objects.store import ObjectStore
from sparkml_track.journals._segments import SegmentJournal
from sparkml_track.journals._store import SegmentName

__all__ = [
    "first_object",
    "follow_objects",
    "last_object",
    "list_objects",
    "open_objects",
    "problem_with_store",
    "read_objects",
    "stop_objects",
]


def open_objects(
    root: ObjectAddress, sweep: str, pulse: Pulse | None = None, patience: Patience | None = None
) -> SegmentJournal:
    """Opens a sweep's journal for its driver; makes it if there is none."""
    folder, client, patience = root / check_sweep(sweep), client_of(root.bucket), patience or Patience()
    store = ObjectStore(folder, client, patience)
    epoch = newest(store).epoch + 1
    if epoch == 1:
        client.check_conditional(root)
    lease = ObjectLease(folder, client, epoch, pulse or Pulse(), patience)
    return SegmentJournal(sweep, store, lease, durable=True)


def read_objects(root: ObjectAddress, sweep: str) -> Iterator[Record]:
    """The records there are, without the lease."""
    store = _existing(root, sweep)
    return records(store, walk(store, sweep).links)


def first_object(root: ObjectAddress, sweep: str) -> Record | None:
    """The oldest record, without the lease."""
    return first_record(_existing(root, sweep), sweep)


def last_object(root: ObjectAddress, sweep: str) -> Record | None:
    """The newest record, without the lease."""
    return last_record(_existing(root, sweep), sweep)


def follow_objects(root: ObjectAddress, sweep: str, since: Place | None) -> Iterator[Appended]:
    """What was appended after a place, without the lease."""
    return follow(_existing(root, sweep), sweep, since)


def list_objects(root: ObjectAddress, wanted: Callable[[str, int], bool] = lambda *_: True) -> list[SweepEntry]:
    """All sweeps under a home, the last modified first."""
    client, found = client_of(root.bucket), dict[str, list[FoundObject]]()
    for each in client.walk(root):
        if each.address.parent.parent == root:
            found.setdefault(each.address.parent.name, []).append(each)
    entries = []
    for sweep, objects in found.items():
        named = [(each, SegmentName.parse(each.address.name)) for each in objects]
        changed = max(each.modified for each in objects)
        if not wanted(sweep, int(changed * 1e9)):
            continue
        written = max((each.modified for each, name in named if name), default=changed)
        epoch = max(newest_lease(objects), *(name.epoch for _, name in named if name), 0)
        entries.append(SweepEntry(sweep, epoch, live_holder(client, root / sweep, objects, Pulse().stale), written))
    return sorted(entries, key=lambda entry: -entry.modified)


def stop_objects(root: ObjectAddress, sweep: str) -> Holder | None:
    """Asks the driver of a sweep to end it; None if nobody runs it."""
    _existing(root, sweep)
    client, folder = client_of(root.bucket), root / sweep
    found = list(client.walk(folder))
    if (holder := live_holder(client, folder, found, Pulse().stale)) is not None:
        client.put(folder / f"e{newest_lease(found):04d}.stop", b"")
    return holder


def problem_with_store(root: ObjectAddress) -> str | None:
    """Why a sweep cannot keep its journal there; None if it can."""
    try:
        client_of(root.bucket).check_conditional(root)
    except JournalError as error:
        return f"the home {root.parent} cannot be used: {error}; set SPARKML_HOME to another one"
    return None


def _existing(root: ObjectAddress, sweep: str) -> ObjectStore:
    folder = root / check_sweep(sweep)
    store = ObjectStore(folder, client_of(root.bucket), Patience())
    if not store.names() and not any(True for _ in client_of(root.bucket).walk(folder)):
        known = ", ".join(entry.sweep for entry in list_objects(root)[:10]) or "none"
        raise JournalError(f"there is no journal of sweep {sweep!r} under {root.parent}; sweeps there: {known}")
    return store
