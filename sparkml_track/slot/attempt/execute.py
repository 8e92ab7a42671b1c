"""One attempt, in the process that executes the objective."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from ..host.paths import Places
from ..wire.frames import Message
from .context import Link, TrialContext
from .returned import BadResult, metrics_of, tell

__all__ = ["Stopped", "execute"]


class Stopped(BaseException):
    """The link is gone: whoever waited for this attempt is no longer there."""


def execute(
    objective: Callable[[TrialContext], object],
    message: Mapping[str, object],
    data: Mapping[str, object],
    link: Link,
    metric: Sequence[str],
    places: Places,
) -> Message:
    """Calls the objective and tells how it ended.

    Never raises for what the objective does, SystemExit and KeyboardInterrupt included: a trial's failure is a
    result like any other.

    Args:
        objective: called with the trial.
        message: the ``run`` message.
        data: the sweep's.
        link: for reports.
        metric: names the sweep optimises.
        places: for artifacts and checkpoints.

    Returns:
        The ``done`` message.
    """
    trial = TrialContext(message, data, link, places)
    started, clock = time.time(), time.perf_counter()
    try:
        metrics = metrics_of(objective(trial), metric)
        ended: Message = {"state": "pruned" if trial.pruned else "finished", "metrics": metrics}
        if trial.pruned:
            ended["reason"] = "pruned"
    except Stopped:
        raise
    except BadResult as error:
        ended = {"state": "failed", "reason": "result", "message": str(error)}
    except MemoryError as error:
        ended = {"state": "failed", "reason": "memory", "message": tell(error)}
    except BaseException as error:
        ended = {"state": "failed", "reason": "exception", "message": tell(error)}
    ended.update(op="done", attempt=message["attempt"], started=started, duration=time.perf_counter() - clock)
    return ended
