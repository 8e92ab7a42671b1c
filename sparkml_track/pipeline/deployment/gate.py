"""Stands before a process in the background until it is recorded: ``gate.py COMMAND...``.

A script of its own, of the standard library alone. It prints the id of the process on stdout and ends. The process
becomes the command when a byte comes on stdin, with its output where stderr was. The end of stdin, by whoever, ends it:
what nobody recorded never runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str]) -> None:
    """The script."""
    command = list(arguments)
    process = os.fork()
    if process:
        sys.stdout.write(f"{process}\n")
        return
    os.dup2(2, 1)
    if os.read(0, 1):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(command[0], command)  # noqa: S606  # without a shell
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
