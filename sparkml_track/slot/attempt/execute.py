"""One attempt, in the process that executes the objective."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

from ..host.paths import Places
from ..wire.messages import Done, Run
from .context import Link, TrialContext
from .door import Pruned
from .returned import BadResult, clip, describe_error, metrics_of

__all__ = ["Stopped", "closed", "execute"]


class Stopped(BaseException):
    """The link is gone: whoever waited for this attempt is no longer there."""


def execute(
    objective: Callable[[TrialContext], object],
    run: Run,
    data: Mapping[str, object],
    link: Link,
    metric: Sequence[str],
    places: Places,
) -> Done:
    """Calls the objective and returns how it ended.

    Never raises for what the objective does, SystemExit and KeyboardInterrupt included: a trial's failure is a
    result like any other.

    Args:
        objective: called with the trial.
        run: the attempt.
        data: the sweep's.
        link: for reports.
        metric: names the sweep optimises.
        places: for artifacts and checkpoints.
    """
    trial = TrialContext(run, data, link, places)
    started, clock = time.time(), time.perf_counter()
    metrics: dict[str, float] = {}
    state, reason, message = "failed", "exception", ""
    try:
        value = objective(trial)
        # What other ranks than the first return does not count, so it may be nothing.
        metrics = dict.fromkeys(metric, math.nan) if run.rank else metrics_of(value, metric)
        state, reason = ("pruned", "pruned") if trial.pruned else ("finished", "")
    except Stopped:
        raise
    except Pruned as error:
        state, reason, message = "pruned", "pruned", clip(str(error))
    except BadResult as error:
        reason, message = "result", str(error)
    except MemoryError as error:
        reason, message = "memory", describe_error(error)
    except BaseException as error:
        message = describe_error(error)
    return Done(run.attempt, state, started, time.perf_counter() - clock, metrics, reason, message)


def closed(done: Done, close: Callable[[], None]) -> Done:
    """The end of an attempt whose last logged values are on their way; failed where MLflow could not take them."""
    try:
        close()
    except Stopped:
        raise
    except Exception as error:
        return done._replace(state="failed", reason="exception", message=describe_error(error))
    return done
