"""What goes with each call that reads or writes a table of a home: grants before, audit and lineage after."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sparkml_track.address import is_address
from sparkml_track.governance import grants, posix
from sparkml_track.governance.audit import Deed, audited
from sparkml_track.governance.edges import Job, Node, between, record
from sparkml_track.governance.homes import home_of
from sparkml_track.governance.names import SYSTEM, full_name
from sparkml_track.governance.sources.columns import Describing, columns_written, record_columns
from sparkml_track.governance.sources.watch import SEEN, Watch
from sparkml_track.refs import TableRef

__all__ = ["Change", "Governed", "Governor"]

Owner = Callable[[], str | None]
#: Arguments that are rows, and those that say nothing of what was asked.
_ROWS, _QUIET = ("data",), ("self", "made_from", "expect", "before_commit")


@dataclass
class Change:
    """A call that makes a version.

    Attributes:
        action: "WRITE", "MERGE" ...
        name: of the table.
        given: the call's other arguments.
        made: the version it made, or the latest one; set when it returned.
    """

    action: str
    name: str
    given: Mapping[str, Any]
    made: TableRef | None = None

    @property
    def request(self) -> dict[str, object]:
        """The arguments, for a row of the audit."""
        left_out = {*_ROWS, *_QUIET}
        return {
            key: value
            for key, value in self.given.items()
            if key not in left_out and value not in (None, "", (), self.name)
        }


class Governed(Describing, Protocol):
    """Tables that are watched over."""

    def owner(self, name: str) -> str | None:
        """Whose a table is, None if nobody was named or there is no table."""
        ...

    def newest(self, name: str) -> int:
        """The latest version, -1 if there is no table."""
        ...


class Governor:
    """Watches over the tables of one root for one object that reads and writes them.

    Tables that are in no home are nobody's: nothing is asked and nothing recorded. Neither is it of system tables.

    Args:
        root: the folder of all tables, or its address in an object store.
        lineage: whether writes leave edges; not where the caller records them with its own job.
        who: for whom tables are read and changed; this process by default.
    """

    def __init__(self, root: str, *, lineage: bool, who: grants.Principal | None = None) -> None:
        self._home = home_of(root)
        self._root = root
        self._lineage = lineage
        self._who = who
        self._watch = Watch()
        self._job = Job("PYTHON", Path(sys.argv[0] if sys.argv else "").name or "python", Job.new_run())

    def ask(self, privilege: str, name: str, owner: Owner) -> None:
        """Refuses what was not granted.

        Raises:
            AccessDenied: says who may.
        """
        if self._home is not None and not _is_system(name):
            grants.check_whole(self._home, privilege, name, owner, self._who)

    def noted(self, ref: TableRef) -> None:
        """A version was read."""
        if self._home is not None and ref.path == f"{self._root}/{ref.name}" and not _is_system(ref.name):
            self._watch.note(ref)
            SEEN.note(ref)

    @contextmanager
    def around(self, change: Change, tables: Governed) -> Iterator[None]:
        """Around a call that makes a version.

        Args:
            change: the call.
            tables: which it changes.

        Raises:
            AccessDenied: nothing was called.
        """
        if self._home is None or _is_system(change.name):
            yield
            return
        deed = Deed(change.action, full_name(change.name), change.request)
        with audited(self._home.system, deed):
            self.ask("MODIFY", change.name, lambda: tables.owner(change.name))
            before = tables.newest(change.name)
            if before < 0:
                self._guard_new(change.name)
            sources = tuple(self._sources(change)) if self._lineage else ()
            yield
            made = change.made
            is_new = made is not None and made.version > before
            deed.result = f"version {made.version}" if made and is_new else "done" if made is None else "nothing to do"
        if made is not None and is_new and self._lineage:
            nodes = (*sources, *_earlier(change, made))
            record(self._home.system, between(nodes, [Node.of(made)], self._job))
            how = (change.given.get("data"), change.given.get("mode"))
            columns = columns_written(made, *how, SEEN, tables) if change.action == "WRITE" else None
            record_columns(self._home.system, made, self._job, columns)

    def _guard_new(self, name: str) -> None:
        """The folder of a new table where grants above it are kept by access lists: before there is a file in it."""
        found = grants.load(self._home) if self._home else grants.Grants()
        if found.enforce == "posix" and found.on(name) and not is_address(self._root):
            posix.guard_new(Path(self._root, name), posix.access_of(found, name, None))

    def _sources(self, change: Change) -> Iterator[Node]:
        data = change.given.get("data")
        if data is not None:
            yield from map(Node.of, self._watch.sources(data, SEEN))
        yield from map(Node.of, change.given.get("made_from") or ())


def _earlier(change: Change, made: TableRef) -> Iterator[Node]:
    """The version of the same table that this one came from; an overwrite takes nothing from it."""
    if change.action == "CLONE":
        yield Node("TABLE", full_name(change.given["name"]), change.given["at"])
    elif change.action == "RESTORE" and isinstance(change.given.get("at"), int):
        yield Node("TABLE", full_name(made.name), change.given["at"])
    elif made.version and not (change.action == "WRITE" and change.given.get("mode") == "overwrite"):
        yield Node("TABLE", full_name(made.name), made.version - 1)


def _is_system(name: str) -> bool:
    return name.count(".") < 3 and full_name(name).split(".")[1] == SYSTEM
