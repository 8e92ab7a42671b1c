"""How a command ends: one message and an exit code; only a defect shows a traceback."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from rich.console import Console

from sparkml_track.cli.console import say
from sparkml_track.errors import SparkmlError

__all__ = ["guarded"]

Given = ParamSpec("Given")


def guarded(command: Callable[Given, None]) -> Callable[Given, None]:
    """Ends a command with one message and the exit code of its error; only a defect shows a traceback."""

    @wraps(command)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SparkmlError as error:
            console = Console(stderr=True, soft_wrap=True, highlight=False)
            say(console, f"error: {error}", markup=False, style="red")
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            say(Console(stderr=True), "interrupted")
            raise SystemExit(130) from None
        except SystemExit as ended:
            if ended.code == 128 + signal.SIGTERM:
                say(Console(stderr=True), "ended by SIGTERM")
            raise

    return run
