"""Who may read and change which tables: what was granted, and whether that allows something.

Advisory: this package asks before it reads or writes. Whoever can read the files can read the data by other means,
unless the files themselves are guarded (``enforce`` is "posix").
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from sparkml_track.errors import AccessDenied, TableError
from sparkml_track.governance.names import SYSTEM, full_name
from sparkml_track.governance.principals import account, groups, owner_of
from sparkml_track.home import Home

__all__ = [
    "EVERYONE",
    "PRIVILEGES",
    "Enforcement",
    "Grant",
    "Grants",
    "Principal",
    "Restriction",
    "check",
    "check_whole",
    "keep",
    "load",
    "restrictions",
]

#: What can be granted. ALL is both others.
PRIVILEGES = ("SELECT", "MODIFY", "ALL")
EVERYONE = "everyone"
Enforcement = Literal["advisory", "posix"]
_DONE = {"SELECT": "read", "MODIFY": "change"}


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who wants something.

    Attributes:
        name: of the account.
        groups: by name.
        root: whether it is the machine's administrator.
    """

    name: str
    groups: frozenset[str] = frozenset()
    root: bool = False

    @classmethod
    def of_process(cls) -> Principal:
        """Who this process is."""
        return cls(account(), groups(), os.geteuid() == 0)

    def is_one_of(self, named: str) -> bool:
        """Whether ``user:NAME``, ``group:NAME`` or ``everyone`` means this one."""
        kind, _, name = named.partition(":")
        return named == EVERYONE or (kind == "user" and name == self.name) or (kind == "group" and name in self.groups)


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege that somebody has, or no longer has.

    Attributes:
        privilege: one of ``PRIVILEGES``.
        object: a catalog, a schema (``main.air``) or a table in full.
        principal: ``user:NAME``, ``group:NAME`` or ``everyone``.
        granted: False once it was revoked.
    """

    privilege: str
    object: str
    principal: str
    granted: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """What the latest one of holds."""
        return self.privilege, self.object, self.principal


@dataclass(frozen=True, slots=True)
class Restriction:
    """What of a table those see who ask a server for it.

    Attributes:
        table: in full.
        column: that is masked; empty for a filter of rows.
        expression: SQL of DuckDB over the table: the value that is shown, or the condition of rows that are; ``$user``
            is whoever asks.
        exempt: principals who see all.
    """

    table: str
    column: str
    expression: str
    exempt: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What there is one of, whatever the case of the column's name."""
        return self.table, self.column.lower()


@dataclass(frozen=True, slots=True)
class Grants:
    """All that was granted in a home.

    Attributes:
        rows: the latest for each privilege, object and principal.
        enforce: "advisory", or "posix" where the tables' folders are guarded too.
        restrictions: filters of rows and masks of columns.
    """

    rows: tuple[Grant, ...] = ()
    enforce: Enforcement = "advisory"
    restrictions: tuple[Restriction, ...] = ()

    def on(self, table: str) -> tuple[Grant, ...]:
        """What was granted or revoked on a table, its schema or its catalog."""
        parts = full_name(table).split(".")
        above = {".".join(parts[:count]) for count in (1, 2, 3)}
        return tuple(row for row in self.rows if row.object in above)

    def holders(self, privilege: str, table: str) -> tuple[str, ...] | None:
        """Who has a privilege on a table; None where nothing was ever granted, so that all have it."""
        rows = self.on(table)
        if not rows:
            return None
        return tuple(
            dict.fromkeys(row.principal for row in rows if row.granted and row.privilege in (privilege, "ALL"))
        )

    def with_one(self, grant: Grant) -> Grants:
        """These with one more, which holds over an earlier one."""
        kept = {row.key: row for row in self.rows} | {grant.key: grant}
        return replace(self, rows=tuple(kept.values()))


def check(
    home: Home, privilege: str, table: str, owner: Callable[[], str | None], who: Principal | None = None
) -> None:
    """Refuses what was not granted.

    A table on which nothing was ever granted, nor on its schema or catalog, is open to all. The owner of the home, the
    owner of the table and root may everything.

    Args:
        home: whose grants.
        privilege: SELECT or MODIFY.
        table: by any form of its name.
        owner: gives the table's owner, if it has one; asked last.
        who: wants it; this process by default.

    Raises:
        AccessDenied: says who may.
        TableError: what was granted cannot be read, so nothing is allowed.
    """
    full = full_name(table)
    holders = load(home).holders(privilege, full)
    if holders is None or full.split(".")[1] == SYSTEM:
        return
    who = who or Principal.of_process()
    if who.root or any(map(who.is_one_of, holders)):
        return
    owners = {name for name in (owner(), owner_of(home.root)) if name}
    if who.name in owners:
        return
    raise AccessDenied(
        f"{who.name} may not {_DONE[privilege]} {full}: {privilege} is granted to {', '.join(holders) or 'nobody'}. "
        f"Ask {' or '.join(sorted(owners)) or 'its owner'} for: sparkml-track catalog grant {privilege} on {full} to "
        f"user:{who.name}"
    )


def restrictions(
    home: Home, table: str, owner: Callable[[], str | None], who: Principal | None
) -> tuple[Restriction, ...]:
    """The filters and masks through which somebody sees a table.

    Args:
        home: whose tables.
        table: by any form of its name.
        owner: gives the table's owner, if it has one; asked last.
        who: asks a server. None for this process, which reads the files itself: it sees them whole.

    Returns:
        None for the owner of the home, that of the table, root, and those who are exempt.

    Raises:
        TableError: what is restricted cannot be read.
    """
    if who is None or who.root:
        return ()
    full = full_name(table)
    own = (each for each in load(home).restrictions if each.table == full)
    found = tuple(each for each in own if not any(map(who.is_one_of, each.exempt)))
    return () if not found or who.name in {owner(), owner_of(home.root)} else found


def check_whole(
    home: Home, privilege: str, table: str, owner: Callable[[], str | None], who: Principal | None = None
) -> None:
    """As ``check``, and refuses those who do not see all of a table.

    Raises:
        AccessDenied: says who may, or what there is instead.
        TableError: as ``check``.
    """
    check(home, privilege, table, owner, who)
    if restrictions(home, table, owner, who):
        raise AccessDenied(
            f"{full_name(table)} has filtered rows or masked columns, which only a query by SQL applies: read it so, "
            "and leave changes to those who see all of it"
        )


_loaded: dict[Path, tuple[tuple[int, int, int], Grants]] = {}


def load(home: Home) -> Grants:
    """What is granted now.

    Raises:
        TableError: it cannot be read.
    """
    path = home.grants
    try:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = _loaded.get(path)
        if known is None or known[0] != stamp:
            known = _loaded[path] = stamp, _parsed(path.read_text("utf-8"))
        return known[1]
    except (FileNotFoundError, NotADirectoryError):
        return Grants()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(
            f"what is granted cannot be read from {path} ({error}), so no table of the home is read or written: put it "
            "back, or make it anew by removing it and granting again; system.grants has all that was granted"
        ) from error


def keep(home: Home, grants: Grants) -> None:
    """Makes these the grants of a home, in one step; the caller holds the lock.

    Raises:
        TableError: they cannot be written.
    """
    path = home.grants
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    kept: dict[str, object] = {"enforce": grants.enforce, "grants": [asdict(row) for row in grants.rows]}
    if grants.restrictions:
        kept["restrictions"] = [asdict(each) for each in grants.restrictions]
    text = json.dumps(kept, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{path.name}.*.part"):  # of one that was killed; one at a time is here
            left.unlink(missing_ok=True)
        try:
            with beside.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(0o644)  # whoever reads a table asks
            beside.rename(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise TableError(f"grants cannot be written to {path}: {error.strerror or error}") from error


def _parsed(text: str) -> Grants:
    kept = json.loads(text)
    if kept["enforce"] not in ("advisory", "posix"):
        raise ValueError(f"enforce is {kept['enforce']!r}")
    return Grants(tuple(_rows(kept["grants"])), kept["enforce"], tuple(_restrictions(kept.get("restrictions", []))))


def _rows(kept: list[dict[str, object]]) -> Iterator[Grant]:
    for row in kept:
        names = str(row["privilege"]), str(row["object"]), str(row["principal"])
        yield Grant(*names, granted=bool(row["granted"]))


def _restrictions(kept: list[dict[str, object]]) -> Iterator[Restriction]:
    for row in kept:
        exempt = row["exempt"]
        if not isinstance(exempt, list):
            raise TypeError(f"exempt is {exempt!r}")
        yield Restriction(str(row["table"]), str(row["column"]), str(row["expression"]), tuple(map(str, exempt)))
