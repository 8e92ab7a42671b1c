"""MLflow's store of one trial, for a process that executes several; MLflow is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .attempt.run_log import Recorder

__all__ = ["no_registry", "own_store"]


def own_store(recorder: Recorder, nested: str, leave: Callable[[], None]) -> Any:
    """The store of an attempt.

    Args:
        recorder: takes what is logged.
        nested: what becomes of runs inside the trial's: "keep", "merge" or "refuse".
        leave: called at the end of the attempt; ends what runs MLflow still has active.
    """
    from ._mlflow_store import TrialStore

    return TrialStore(now=lambda: recorder, nested=nested, leave=leave)


def no_registry() -> Any:
    """Refuses, as a trial has no model registry."""
    from ._mlflow_store import registry

    return registry()
