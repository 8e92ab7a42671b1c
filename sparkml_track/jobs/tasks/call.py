"""A function as a process: ``python -m sparkml_track.jobs.tasks.call``, with the call as JSON in the environment.

What the function raises ends the process, with a traceback in the log; of an error of this package with its message.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback

from sparkml_track.errors import SparkmlError
from sparkml_track.objective import resolve

__all__ = ["CALL", "main"]

#: Of the environment: the function and its arguments.
CALL = "SPARKML_JOB_CALL"


def main() -> None:
    """Calls the function."""
    # Raises where the function is, so that it can tidy up.
    signal.signal(signal.SIGTERM, _terminated)
    call = json.loads(os.environ.pop(CALL))
    try:
        resolve(call["function"], call["code"])(**call["options"])
    except SparkmlError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None
    except Exception as error:  # noqa: BLE001  # whatever the user's function raises
        # Without this module's own lines.
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, frames)
        raise SystemExit(1) from None


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
