"""Hyperparameter sweeps on plain Apache Spark, tracked in MLflow, carrying the model the whole way.

    import sparkml_track as st

    result = st.sweep(objective, {"x": st.uniform(-3, 3)}, max_trials=40)

Importing this package is light: Spark, MLflow and the search libraries are imported by what needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkml_track import plots
    from sparkml_track.api.preview import preview
    from sparkml_track.api.reproduce import reproduce
    from sparkml_track.api.sweep import sweep
    from sparkml_track.engine.audit.load import load_sweep
    from sparkml_track.engine.audit.verify import Verification, verify
    from sparkml_track.engine.importing.flow import ImportedSweep, import_sweep
    from sparkml_track.engine.results.sweep_result import Best, SweepResult
    from sparkml_track.engine.spec.spec import Failures, Tracking
    from sparkml_track.errors import SparkmlError
    from sparkml_track.executors import Resources
    from sparkml_track.objective import Trial
    from sparkml_track.space import (
        choice,
        lognormal,
        loguniform,
        normal,
        qloguniform,
        quniform,
        randint,
        uniform,
    )

__all__ = [
    "Best",
    "Failures",
    "ImportedSweep",
    "Resources",
    "SparkmlError",
    "SweepResult",
    "Tracking",
    "Trial",
    "Verification",
    "choice",
    "import_sweep",
    "load_sweep",
    "lognormal",
    "loguniform",
    "normal",
    "plots",
    "preview",
    "qloguniform",
    "quniform",
    "randint",
    "reproduce",
    "sweep",
    "uniform",
    "verify",
]

__version__ = "0.1.0"

_SPACE = ("choice", "lognormal", "loguniform", "normal", "qloguniform", "quniform", "randint", "uniform")
_HOMES = dict.fromkeys(_SPACE, "sparkml_track.space") | {
    "Best": "sparkml_track.engine.results.sweep_result",
    "Failures": "sparkml_track.engine.spec.spec",
    "ImportedSweep": "sparkml_track.engine.importing.flow",
    "Resources": "sparkml_track.executors",
    "SparkmlError": "sparkml_track.errors",
    "SweepResult": "sparkml_track.engine.results.sweep_result",
    "Tracking": "sparkml_track.engine.spec.spec",
    "Trial": "sparkml_track.objective",
    "Verification": "sparkml_track.engine.audit.verify",
    "import_sweep": "sparkml_track.engine.importing.flow",
    "load_sweep": "sparkml_track.engine.audit.load",
    "preview": "sparkml_track.api.preview",
    "reproduce": "sparkml_track.api.reproduce",
    "sweep": "sparkml_track.api.sweep",
    "verify": "sparkml_track.engine.audit.verify",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used."""
    if name == "plots":
        return importlib.import_module("sparkml_track.plots")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
