"""One call of ``optimize``: the sweep is run, and what ended it is raised."""

from __future__ import annotations

from typing import Any

from sparkml_track.api.sweep import run
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.frontdoors._optuna import studies
from sparkml_track.frontdoors._optuna.asked import Asked, Slots
from sparkml_track.frontdoors._optuna.dead_drivers import fail_left_behind
from sparkml_track.frontdoors._optuna.ends import Clock, Ends
from sparkml_track.frontdoors._optuna.search import Search
from sparkml_track.home import Home

__all__ = ["search"]

#: What goes on with a search that was interrupted.
_WAY_ON = "optimize(study, ...) with the same study"
#: What does after the driver died: of studies that last, and of those in memory.
_LASTS = "the study goes on when optimize(study, ...) is called again, in a sweep of its own"
_IN_MEMORY = "a study with a storage goes on when optimize(study, ...) is called again"


def search(asked: Asked, slots: Slots) -> SweepResult | None:
    """Executes trials until a limit is reached; see ``optimize``."""
    asked.check(slots)
    if asked.n_trials == 0:
        return None
    study = asked.study
    with studies.in_optimize(study), studies.shown(asked.bar, asked.n_trials, asked.timeout) as bar:
        fail_left_behind(study)
        ends = Ends(study, asked.catch, asked.callbacks, bar, Clock(asked.timeout))
        sampler = Search(study, ends)
        origin = {"door": _WAY_ON, "once": _LASTS if studies.lasts(study) else _IN_MEMORY}
        more: dict[str, Any] = {"accepted": sampler.accepted, "door": sampler.conversation, "origin": origin}
        try:
            result = run(asked.arguments(slots, sampler), Home.find(), slots.open, progress=False, **more)
        finally:
            sampler.settle()
    if ends.error is not None:
        raise ends.error
    return result
