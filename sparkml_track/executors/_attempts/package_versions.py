"""Versions of packages on the slots beside the driver's: another one may load a pickle, and give other results."""

from __future__ import annotations

import logging
import sys

__all__ = ["Packages"]

_log = logging.getLogger(__name__)


class Packages:
    """Tells once of each package and version that differs."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def hear(self, host: str, versions: object) -> None:
        """Compares with what is imported here.

        Args:
            host: of the slot.
            versions: by module, of those the objective brought in there; anything else is passed over.
        """
        for name, theirs in sorted(versions.items()) if isinstance(versions, dict) else ():
            ours = getattr(sys.modules.get(str(name)), "__version__", theirs)
            if ours != theirs and (str(name), str(theirs)) not in self._logged:
                self._logged.add((str(name), str(theirs)))
                _log.warning(
                    "slots have %s %s (seen on %s), the driver has %s: results may differ from those of the driver; "
                    "install the same version on all hosts",
                    name,
                    theirs,
                    host,
                    ours,
                )
