"""Trials that a driver left RUNNING in its study when it was killed.

Each trial of a study that lasts bears the mark of its driver: host, process and the process's start. A later call
finds those of its own host whose process is gone: they fail, and are executed again as new trials with the parameters
that they had, by Optuna's own ``RetryHeartbeatStaleTrialCallback``. Trials of other hosts are left alone, and logged.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import astuple

import optuna
from optuna.trial import TrialState

from sparkml_track import schema
from sparkml_track.frontdoors._optuna import studies
from sparkml_track.journals import alive, here, started

__all__ = ["fail_left_behind", "own_mark"]

_log = logging.getLogger(__name__)


def own_mark() -> dict[str, object]:
    """Of this driver."""
    pid = os.getpid()
    return {"host": _host(), "pid": pid, "start": started(pid)}


def fail_left_behind(study: optuna.Study) -> list[int]:
    """Fails what dead drivers of this host left, and queues it again; the numbers of what failed."""
    failed: list[int] = []
    elsewhere: list[int] = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        mark = trial.system_attrs.get(schema.ATTR_DRIVER)
        if not isinstance(mark, Mapping):
            continue
        if mark.get("host") != _host():
            elsewhere.append(trial.number)
        elif not _lives(mark):
            failed.append(trial.number)
    for number in failed:
        study.tell(number, state=TrialState.FAIL)
        # One more each time it is left behind, whatever the driver died of.
        studies.enqueue_again(study, study.trials[number])
    _report(failed, elsewhere)
    return failed


def _report(failed: list[int], elsewhere: list[int]) -> None:
    if failed:
        _log.warning(
            "trials %s were left running by a driver that is gone: they count as failed, and their parameters are "
            "tried again, as new trials",
            ", ".join(map(str, failed)),
        )
    if elsewhere:
        _log.warning(
            "trials %s run under drivers on other hosts, as far as is known here; if those are gone, end each by "
            "study.tell(number, state=optuna.trial.TrialState.FAIL)",
            ", ".join(map(str, elsewhere)),
        )


def _lives(mark: Mapping[str, object]) -> bool:
    pid, start = mark.get("pid"), mark.get("start")
    return isinstance(pid, int) and isinstance(start, str) and alive(pid, start)


def _host() -> str:
    """With the kernel's boot and the namespace of processes: names and process ids repeat themselves."""
    return " ".join(astuple(here()))
