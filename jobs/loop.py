"""The loop of the flights job: ``python jobs/loop.py conf/flights_loop.yaml``."""

from __future__ import annotations

import sys
from pathlib import Path

from flights.loop.loop import run
from sparkml_track.cli.guard import guarded

if __name__ == "__main__":
    guarded(run)(Path(sys.argv[1] if len(sys.argv) > 1 else "conf/flights_loop.yaml"))
