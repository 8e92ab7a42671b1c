"""Who this process is to the operating system. The environment is not asked: anybody sets that."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
from contextlib import suppress

__all__ = ["account", "groups", "owner_of", "user"]


def user() -> str:
    """Who runs this process, as MLflow records it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name, as in many containers
        return "unknown"


def account(number: int | None = None) -> str:
    """The name of an account; its number where it has no name.

    Args:
        number: of the user; that of this process by default.
    """
    number = os.geteuid() if number is None else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def groups() -> frozenset[str]:
    """The names of this process's groups; numbers of those without a name."""
    found = set[str]()
    for number in {os.getegid(), *os.getgroups()}:
        try:
            found.add(grp.getgrgid(number).gr_name)
        except KeyError:
            found.add(str(number))
    return frozenset(found)


def owner_of(path: str | os.PathLike[str]) -> str | None:
    """Whose a folder is; None if it is not there."""
    with suppress(OSError):
        return account(os.stat(path).st_uid)  # noqa: PTH116 - os.PathLike has no stat
    return None
