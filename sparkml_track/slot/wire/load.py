"""How much longer things take on this machine than on an idle one."""

from __future__ import annotations

import os

__all__ = ["slowness"]

#: A load beyond says little about how long one process waits.
_MOST = 12.0


def slowness() -> float:
    """Processes that want a core for each core that there is, over the last minute; 1 for less, 12 for more."""
    try:
        wanted = os.getloadavg()[0]
    except OSError:  # this system does not say
        return 1.0
    return min(_MOST, max(1.0, wanted / (os.cpu_count() or 1)))
