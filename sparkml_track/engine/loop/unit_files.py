"""Artifacts of a trial with several units: one folder, in which each unit has its own."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from sparkml_track.engine.spec.units import Units
from sparkml_track.home import units_folder
from sparkml_track.trial import Attempt, Outcome

__all__ = ["with_folder"]

_log = logging.getLogger(__name__)


def with_folder(outcome: Outcome, attempt: Attempt, plan: Units) -> Outcome:
    """The outcome of a unit whose artifacts lie in the folder of its trial now; that is what it names."""
    if not outcome.artifacts:
        return outcome
    left = Path(outcome.artifacts)
    whole = left.parent / units_folder(attempt.trial.number)
    try:
        whole.mkdir(mode=0o700, exist_ok=True)
        left.rename(whole / plan.name(attempt.unit.index).rstrip("_"))
    except OSError as error:
        _log.warning("artifacts of attempt %s stay in %s: %s", attempt.id, left, error)
        return replace(outcome, artifacts="", in_place=False)
    return replace(outcome, artifacts=str(whole))
