"""Looking features up beside what a request has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from sparkml_track.carried import CarriedFeatures

__all__ = ["OpenFeatures", "RowFeatures"]


class RowFeatures(Protocol):
    """The look-ups that a version carries, ready to be asked from any thread."""

    def add(self, rows: Any) -> tuple[Any, int]:
        """Adds features to rows.

        Args:
            rows: a pandas data frame with the keys, and perhaps some of the features, which then stay as they are.

        Returns:
            The columns that the model takes, in its order, and how many keys were not found.
        """


#: Makes ready what a version carries.
OpenFeatures: TypeAlias = Callable[[CarriedFeatures], RowFeatures]
