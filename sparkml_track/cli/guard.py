"""How a command ends: one message and an exit code; only a defect shows a traceback."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from rich.console import Console

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
            Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {error}", markup=False, style="red")
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            Console(stderr=True).print("interrupted")
            raise SystemExit(130) from None
        except SystemExit as ended:
            if ended.code == 128 + signal.SIGTERM:
                Console(stderr=True).print("ended by SIGTERM")
            raise

    return run
