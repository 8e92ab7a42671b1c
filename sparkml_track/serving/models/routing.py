"""Which version answers which request. A routing never changes; one that an alias moved is exchanged for another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus

from sparkml_track.serving.models.loading import LoadedModel
from sparkml_track.serving.protocol.refused import Refused

__all__ = ["CANARY", "SERVED", "SHADOW", "Route", "Routing", "point_of"]

SERVED, CANARY, SHADOW = "served", "canary", "shadow"


@dataclass(frozen=True, slots=True)
class Route:
    """An alias with the version it pointed to when it was last looked at.

    Attributes:
        alias: or a version number, as text.
        role: "served" for the first route, "canary" for the others, "shadow" for what never answers.
        share: of the requests, in parts of whatever the shares sum to.
        model: the version.
    """

    alias: str
    role: str
    share: float
    model: LoadedModel


@dataclass(frozen=True, slots=True)
class Routing:
    """All routes at one moment.

    Attributes:
        routes: those that answer, in the order of the config. At least one has a share above 0.
        shadows: those that score aside.
    """

    routes: tuple[Route, ...]
    shadows: tuple[Route, ...] = ()

    def pick(self, point: float) -> Route:
        """The route of a point from 0 to 1; those of the first route stay its own when a later one grows."""
        left = point * sum(route.share for route in self.routes)
        for route in self.routes:
            if left < route.share:
                return route
            left -= route.share
        return next(route for route in reversed(self.routes) if route.share)

    def named(self, alias: str) -> Route:
        """The route of an alias.

        Raises:
            Refused: it is not served.
        """
        found = next((route for route in self.routes if route.alias == alias), None)
        if found is None:
            served = ", ".join(route.alias for route in self.routes)
            raise Refused(f"the alias {alias!r:.80} is not served here; these are: {served}", HTTPStatus.NOT_FOUND)
        return found


def point_of(endpoint: str, key: str) -> float:
    """A point from 0 to 1 that is always the same for a key, and other points at other endpoints."""
    digest = hashlib.sha256(f"{endpoint}\0{key}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
