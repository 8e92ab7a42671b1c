"""The way of a model, from its features on.

scripts/bench lifecycle [--only NAME ...] [--rows N]

--rows is of all but serving.
"""

from __future__ import annotations

import os
import sys

from lifecycle_join import ROWS, join, join_few
from lifecycle_monitoring import monitoring
from lifecycle_scoring import scoring
from lifecycle_serving import serving, serving_look_ups
from rows import main

if __name__ == "__main__":
    if "--rows" in sys.argv:
        place = sys.argv.index("--rows")
        os.environ[ROWS] = sys.argv[place + 1]
        del sys.argv[place : place + 2]
    rows = {
        "join": join,
        "join few": join_few,
        "scoring": scoring,
        "monitoring": monitoring,
        "serving": serving,
        "serving look-ups": serving_look_ups,
    }
    main(__doc__, __file__, rows, {})
