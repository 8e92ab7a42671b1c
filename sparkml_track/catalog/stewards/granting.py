"""Privileges on tables, schemas and catalogs: given and taken by whoever owns them, kept in one step, recorded."""

from __future__ import annotations

import difflib
import grp
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.address import is_address
from sparkml_track.catalog.stewards.tags import check_manages, table_owner
from sparkml_track.catalog.stewards.things import securable
from sparkml_track.errors import InvalidInput, TableError
from sparkml_track.governance import grants, posix, spool
from sparkml_track.governance.audit import Deed, audited
from sparkml_track.governance.grants import EVERYONE, PRIVILEGES, Enforcement, Grant, Grants
from sparkml_track.governance.names import full_name
from sparkml_track.governance.principals import account
from sparkml_track.slot.host.lock import exclusive_lock

if TYPE_CHECKING:
    from sparkml_track.home import Home
    from sparkml_track.tables import Tables

__all__ = ["alone", "enforce", "give", "principal", "privilege", "readable_by", "take"]


_WAYS: dict[str, Enforcement] = {"advisory": "advisory", "posix": "posix"}


def give(home: Home, tables: Tables, wanted: Grant) -> tuple[str, ...]:
    """Grants a privilege. The first grant on a table, schema or catalog closes it to all others.

    Args:
        home: whose tables.
        tables: of the home.
        wanted: with any form of the names.

    Returns:
        What a person should know, a sentence each.

    Raises:
        InvalidInput: no such privilege, thing or (with ``enforce`` "posix") account.
        AccessDenied: this process's user does not own it.
        TableError: it cannot be kept.
    """
    return _change(home, tables, replace(wanted, granted=True))


def take(home: Home, tables: Tables, wanted: Grant) -> tuple[str, ...]:
    """Revokes a privilege; the thing stays closed to all who have none.

    Raises:
        InvalidInput: it was not granted; as ``give``.
    """
    return _change(home, tables, replace(wanted, granted=False))


def enforce(home: Home, tables: Tables, how: str) -> tuple[str, ...]:
    """Guards the folders of tables with grants by access lists, or no longer.

    Args:
        home: whose tables.
        tables: of the home.
        how: "posix" or "advisory".

    Raises:
        AccessDenied: this process's user does not own the home.
        InvalidInput: an account of a grant is unknown here, or the tables lie in an object store.
        TableError: the file system has no access lists.
    """
    if (wanted := _WAYS.get(how)) is None:
        raise InvalidInput(f"enforcement cannot be {how!r}; allowed are advisory and posix")
    if wanted == "posix" and is_address(home.tables_root):
        raise InvalidInput(
            f"the tables lie in {home.tables_root}, and an object store knows no accounts of this machine; "
            "allowed is advisory: keep others out by the store's own policies"
        )
    with audited(home.system, Deed("ENFORCE", str(home.root), {"enforce": how})), alone(home):
        check_manages(home, str(home.root), None)
        after = replace(grants.load(home), enforce=wanted)
        said = _guard(home, tables, after, None)
        grants.keep(home, after)
    return said


def privilege(word: str) -> str:
    """One of ``PRIVILEGES``, in any case.

    Raises:
        InvalidInput: it is none.
    """
    if word.upper() not in PRIVILEGES:
        near = difflib.get_close_matches(word.upper(), PRIVILEGES, n=1)
        hint = f". Did you mean {near[0]}?" if near else ""
        raise InvalidInput(f"{word!r} is not a privilege; there are {', '.join(PRIVILEGES)}{hint}")
    return word.upper()


def principal(word: str) -> str:
    """``user:NAME``, ``group:NAME`` or ``everyone``; a bare name is a user's.

    Raises:
        InvalidInput: it is something else.
    """
    if word == EVERYONE:
        return word
    kind, _, name = word.partition(":") if ":" in word else ("user", "", word)
    if kind not in ("user", "group") or not name or not name.isprintable() or "," in name or " " in name:
        raise InvalidInput(f"{word!r} is nobody; write user:NAME, group:NAME or {EVERYONE}")
    return f"{kind}:{name}"


def _change(home: Home, tables: Tables, wanted: Grant) -> tuple[str, ...]:
    grant = Grant(privilege(wanted.privilege), securable(wanted.object, tables), principal(wanted.principal),
                  wanted.granted)  # fmt: skip
    request = {"privilege": grant.privilege, "principal": grant.principal}
    deed = Deed("GRANT" if grant.granted else "REVOKE", grant.object, request)
    with audited(home.system, deed), alone(home):
        check_manages(home, grant.object, _owner(tables, grant.object))
        before = grants.load(home)
        if not grant.granted and not any(row.key == grant.key and row.granted for row in before.rows):
            raise InvalidInput(_not_granted(grant, before))
        after = before.with_one(grant)
        said = _guard(home, tables, after, grant) + _unknown(grant)
        row = {"event_time": datetime.now(UTC), "privilege": grant.privilege, "object": grant.object}
        row |= {"principal": grant.principal, "granted": grant.granted, "granted_by": account()}
        spool.append(home.system, "grants", [row])
        grants.keep(home, after)
    return said


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """One at a time reads grants and keeps them again; a block."""
    home.system.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(home.grants.with_suffix(".lock")):
        yield


def _owner(tables: Tables, thing: str) -> str | None:
    name = next((name for name in tables.names() if full_name(name) == thing), None)
    return None if name is None else table_owner(tables.describe(name))


def _guard(home: Home, tables: Tables, after: Grants, grant: Grant | None) -> tuple[str, ...]:
    """The access lists of the tables that a grant is about, or of all."""
    if (after.enforce != "posix" and grant is not None) or is_address(home.tables_root):
        return ()
    names = [name for name in tables.names() if after.on(name)]
    if grant is not None:
        names = [name for name in names if f"{full_name(name)}.".startswith(f"{grant.object}.")]
    said = dict[str, None]()
    for name in names:
        folder = home.tables / name
        if after.enforce != "posix":
            posix.release(folder)
            continue
        owner = table_owner(tables.describe(name))
        said |= dict.fromkeys(posix.guard(folder, posix.access_of(after, name, owner)))
    return tuple(said)


def _unknown(grant: Grant) -> tuple[str, ...]:
    kind, _, name = grant.principal.partition(":")
    look = {"user": pwd.getpwnam, "group": grp.getgrnam}.get(kind)
    try:
        if look is not None and grant.granted:
            look(name)
    except KeyError:
        return (f"this machine knows no {kind} {name} yet",)
    return ()


def _not_granted(grant: Grant, before: Grants) -> str:
    there = [f"{row.privilege} to {row.principal}" for row in before.rows if row.granted and row.object == grant.object]
    return (
        f"{grant.privilege} on {grant.object} is not granted to {grant.principal}, so it cannot be revoked; granted "
        f"there are: {', '.join(there) or 'none'}"
    )


def readable_by(place: str) -> str:
    """Who can read the files of a folder, whatever is granted; for a person.

    Raises:
        TableError: it is not there.
    """
    try:
        return "whoever has its keys" if is_address(place) else posix.readable_by(Path(place))
    except OSError as error:
        raise TableError(f"{place} cannot be looked at: {error.strerror or error}") from error
