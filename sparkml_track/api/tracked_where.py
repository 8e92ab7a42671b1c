"""Where a sweep is tracked: as its arguments say, else as MLflow is configured."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from sparkml_track import schema
from sparkml_track.adapters.mlflow.ambient import ambient
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.spec import Tracking

__all__ = ["tracked_where"]

_log = logging.getLogger(__name__)


def tracked_where(given: SweepArguments) -> tuple[SweepArguments, Mapping[str, str]]:
    """Fills in the store and the experiment where the arguments leave them open.

    Returns:
        The arguments, and tags of the parent run: under an active run it is nested.

    Raises:
        TrackingError: see ``ambient``.
    """
    tracking = given.tracking
    if not isinstance(tracking, Tracking):  # refused later, with all else
        return given, {}
    named = given.experiment_given and given.experiment is not None
    given = replace(given, store_given=tracking.uri is not None, experiment_given=named)
    found = ambient()
    if tracking.uri is not None and tracking.uri != found.uri:
        return given, {}
    if tracking.uri is None and found.uri is not None:
        _log.info("tracked in %s: %s", redacted(found.uri), found.source)
    placed = replace(
        given,
        tracking=replace(tracking, uri=tracking.uri or found.uri),
        experiment=given.experiment or found.experiment,
    )
    return placed, {schema.TAG_PARENT: found.active_run} if found.active_run else {}
