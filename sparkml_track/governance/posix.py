"""Privileges as POSIX access lists of a table's folder: a boundary that the kernel keeps, for local disks and NFS 3.

SELECT is r-x on folders and r-- on files, MODIFY adds w; default lists make new files inherit. The lists are written as
the extended attributes that Linux keeps them in (include/uapi/linux/posix_acl_xattr.h), so no tool is needed.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.errors import InvalidInput, TableError
from sparkml_track.governance.grants import EVERYONE, Grants

__all__ = ["Access", "access_of", "guard", "guard_new", "readable_by", "release"]

_ACCESS, _DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_VERSION, _NOBODY = 2, 0xFFFFFFFF
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_READ, _WRITE, _ENTER = 4, 2, 1


@dataclass(frozen=True, slots=True)
class Access:
    """Who may what with a table.

    Attributes:
        readers: ``user:NAME``, ``group:NAME`` or ``everyone``.
        writers: likewise; they may read too.
        owner: an account that may everything, if it is one of this machine.
    """

    readers: tuple[str, ...]
    writers: tuple[str, ...]
    owner: str | None = None


def access_of(found: Grants, table: str, owner: str | None) -> Access:
    """Who may what with a table, as granted."""
    return Access(found.holders("SELECT", table) or (), found.holders("MODIFY", table) or (), owner)


def guard(folder: Path, access: Access) -> tuple[str, ...]:
    """Lets the files of a table be read and written by these alone, and by whoever owns the folder.

    Args:
        folder: of the table.
        access: who may.

    Returns:
        What still keeps them out, a sentence each.

    Raises:
        InvalidInput: an account or a group that this machine does not know; nothing was changed.
        TableError: the file system has no access lists, or this user may not change them.
    """
    entries = dict[tuple[int, int], int]()
    for names, bits in ((access.readers, _READ), (access.writers, _READ | _WRITE)):
        for name in names:
            key = _entry(name)
            entries[key] = entries.get(key, 0) | bits
    with suppress(KeyError):
        entries[_USER, pwd.getpwnam(access.owner or "").pw_uid] = _READ | _WRITE
    try:
        entries[_USER, folder.stat().st_uid] = _READ | _WRITE  # files that others write are the owner's to read
        for path, is_folder in _tree(folder):
            _set(path, entries, is_folder=is_folder)
    except OSError as error:
        raise TableError(
            f"{folder} cannot be guarded by access lists: {error.strerror or error}. The file system must have POSIX "
            "ACLs, and their files must be your own: enforce by another account, or keep to advisory grants"
        ) from error
    return tuple(_barriers(folder))


def guard_new(folder: Path, access: Access) -> None:
    """Makes the folder of a table that is to come, guarded before there is anything in it.

    Raises:
        InvalidInput: as ``guard``.
        TableError: it cannot be made, or as ``guard``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TableError(f"the folder {folder} cannot be made: {error.strerror or error}") from error
    guard(folder, access)


def release(folder: Path) -> None:
    """Takes the access lists away; files are as the mode 755 and 644 say.

    Raises:
        TableError: this user may not.
    """
    try:
        for path, is_folder in _tree(folder):
            for name in (_ACCESS, _DEFAULT) if is_folder else (_ACCESS,):
                with suppress(OSError):
                    os.removexattr(path, name)
            path.chmod(0o755 if is_folder else 0o644)
    except OSError as error:
        raise TableError(f"{folder} cannot be opened again: {error.strerror or error}") from error


def readable_by(folder: Path) -> str:
    """Who can read files in a folder, as its mode says; access lists are counted."""
    status = folder.stat()
    if status.st_mode & stat.S_IROTH and status.st_mode & stat.S_IXOTH:
        return "everybody on this machine"
    owner = _name(pwd.getpwuid, status.st_uid)
    listed: tuple[str, ...] = ()
    with suppress(OSError):
        listed = tuple(_listed(os.getxattr(folder, _ACCESS)))
    if not listed and status.st_mode & stat.S_IRGRP:
        listed = (f"group {_name(grp.getgrgid, status.st_gid)}",)
    return ", ".join(dict.fromkeys((f"user {owner}", *listed)))


def _tree(folder: Path) -> Iterator[tuple[Path, bool]]:
    """All below, and the folder itself; links are left alone. What goes meanwhile needs no list."""
    yield folder, True
    for root, folders, files in os.walk(folder):
        yield from ((Path(root, name), True) for name in folders if not Path(root, name).is_symlink())
        yield from ((Path(root, name), False) for name in files if not Path(root, name).is_symlink())


def _set(path: Path, entries: dict[tuple[int, int], int], *, is_folder: bool) -> None:
    packed = _packed(entries, is_folder=is_folder)
    try:
        os.setxattr(path, _ACCESS, packed)
        if is_folder:
            os.setxattr(path, _DEFAULT, packed)
    except FileNotFoundError:  # vacuumed meanwhile
        return


def _packed(entries: dict[tuple[int, int], int], *, is_folder: bool) -> bytes:
    enter = _ENTER if is_folder else 0
    other = entries.get((_OTHER, _NOBODY), 0)
    named = {key: bits for key, bits in entries.items() if key[0] != _OTHER}
    own = [((_USER_OBJ, _NOBODY), _READ | _WRITE), ((_GROUP_OBJ, _NOBODY), 0), ((_MASK, _NOBODY), _READ | _WRITE)]
    lines = [*own, *named.items(), ((_OTHER, _NOBODY), other)]
    packed = [struct.pack("<HHI", tag, bits | (enter if bits else 0), who) for (tag, who), bits in sorted(lines)]
    return struct.pack("<I", _VERSION) + b"".join(packed)


def _entry(name: str) -> tuple[int, int]:
    if name == EVERYONE:
        return _OTHER, _NOBODY
    kind, _, plain = name.partition(":")
    try:
        return (_USER, pwd.getpwnam(plain).pw_uid) if kind == "user" else (_GROUP, grp.getgrnam(plain).gr_gid)
    except KeyError:
        if kind == "user" and plain.isascii() and plain.isdigit():
            return _USER, int(plain)
        raise InvalidInput(
            f"this machine knows no {kind} {plain}, so its files cannot be guarded for it; make it first, or enforce "
            "advisory"
        ) from None


def _barriers(folder: Path) -> Iterable[str]:
    """Folders above the table that others cannot enter."""
    for parent in folder.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            yield f"{parent} cannot be entered by others, which keeps out whoever was granted something below it"


def _listed(packed: bytes) -> Iterator[str]:
    for tag, bits, who in struct.iter_unpack("<HHI", packed[4:]):
        if bits & _READ and tag == _USER:
            yield f"user {_name(pwd.getpwuid, who)}"
        elif bits & _READ and tag == _GROUP:
            yield f"group {_name(grp.getgrgid, who)}"


def _name(look: object, number: int) -> str:
    try:
        return str(look(number)[0])  # type: ignore[operator]
    except KeyError:
        return str(number)
