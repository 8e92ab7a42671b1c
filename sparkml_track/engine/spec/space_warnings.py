"""What a person may have meant otherwise in a space that is allowed."""

from __future__ import annotations

import logging

from sparkml_track.space import Space

__all__ = ["warn_of_lists"]

_log = logging.getLogger(__name__)


def warn_of_lists(space: Space) -> None:
    """A list may be meant as a constant, or for a choice; both are common."""
    for name, value in space.constants:
        if isinstance(value, tuple | list):
            _log.warning(
                "space: %r is the list %.80s, one value for every trial; choice(%.80s) would take one of them",
                name,
                list(value),
                ", ".join(map(repr, value)),
            )
