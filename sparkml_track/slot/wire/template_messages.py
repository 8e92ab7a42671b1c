"""The messages between a worker and the template of its host, and the first of a child. See ``messages``."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Born", "Exit", "Fork", "Kill", "NoFork", "Renew", "Rests", "Stale"]


class Fork(NamedTuple):
    """Asks for a child."""


class Kill(NamedTuple):
    """Ends a child."""

    pid: int


class Rests(NamedTuple):
    """No worker may come after this one."""


class Renew(NamedTuple):
    """Another sweep begins with what the template has loaded."""


class Stale(NamedTuple):
    """The files that it has loaded were changed."""


class NoFork(NamedTuple):
    """There is no process for the child that was asked for."""

    message: str


class Exit(NamedTuple):
    """A child ended: its exit code, or minus the signal."""

    pid: int
    status: int


class Born(NamedTuple):
    """A child is there, before it executes anything: its open descriptors, and device and inode of its folder."""

    pid: int
    files: int
    folder: list[int]
