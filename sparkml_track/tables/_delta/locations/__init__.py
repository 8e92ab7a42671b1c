"""Where tables lie: folders, and object stores.

_base    the contract
local    folders that the driver and all Spark executors share
objects  objects of S3
"""

from __future__ import annotations

from pathlib import Path

from sparkml_track.adapters.objects.settings import ObjectSettings
from sparkml_track.address import is_address
from sparkml_track.tables._delta.locations._base import FoundFile, Location
from sparkml_track.tables._delta.locations.local import LocalLocation
from sparkml_track.tables._delta.locations.objects import ObjectLocation

__all__ = ["FoundFile", "LocalLocation", "Location", "ObjectLocation", "location_of"]


def location_of(place: str | Path, settings: ObjectSettings | None = None) -> Location:
    """Find out what a path or an address is.

    Raises:
        NotBuilt: a URL of another kind.
        SetupError: an address that is not valid.
        TableError: a path that looks percent-encoded.
    """
    return ObjectLocation.parse(str(place), settings) if is_address(place) else LocalLocation.parse(place)
