"""The command line, called in the process of a test."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from sparkml_track.cli.app import main

__all__ = ["Call", "caller"]

#: Exit code, stdout, and stderr in one line.
Call = Callable[..., tuple[int, str, str]]


def caller(command: str, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls one command with the arguments it is given."""

    def call(*arguments: object) -> tuple[int, str, str]:
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as caught:
                main([command, *map(str, arguments)])
        finally:
            signal.signal(signal.SIGTERM, before)
        out = capsys.readouterr()
        return int(caught.value.code or 0), out.out, " ".join(out.err.split())

    return call
