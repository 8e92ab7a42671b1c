"""Trackers: where runs are written. Importing this imports no MLflow; ``open_tracker`` does.

_base     the contract
_memory   the twin, in a dictionary
_mlflow   MLflow: a SQLite file, a server or another database
_rows     a trial as rows, the same for every member
_names    what names and values a store takes
_looked_up runs, found in a SQLite file without opening the store
_stored   what is stored, beside what should be
_content  what a file of a run holds
_whole    a run read back, for another store
receiving what a tracking server does with a batch of child runs
"""

from __future__ import annotations

import os
from pathlib import Path

from sparkml_track.adapters.mlflow.experiments import artifact_root
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.home import Home
from sparkml_track.trackers._base import Aggregate, ChildRun, ParentEnd, ParentRun, StoredChild, StoredParent, Tracker
from sparkml_track.trackers._content import Content, write_content
from sparkml_track.trackers._looked_up import FoundModel, FoundRun, found_experiments, found_models, found_run
from sparkml_track.trackers._memory import MemoryRun, MemoryTracker
from sparkml_track.trackers._names import key, problems
from sparkml_track.trackers._stored import differences
from sparkml_track.trackers._whole import WholeRun

__all__ = [
    "Aggregate",
    "ChildRun",
    "Content",
    "FoundModel",
    "FoundRun",
    "MemoryRun",
    "MemoryTracker",
    "ParentEnd",
    "ParentRun",
    "StoredChild",
    "StoredParent",
    "Tracker",
    "WholeRun",
    "default_uri",
    "differences",
    "found_experiments",
    "found_models",
    "found_run",
    "key",
    "open_tracker",
    "problems",
    "redacted",
    "write_content",
]


def default_uri(home: Path) -> str:
    """Where runs are written unless a URI is given: a SQLite file in ``home``."""
    return Home(home.absolute()).tracking_uri


def open_tracker(uri: str | None, home: Path) -> Tracker:
    """Opens the tracker for a store; the caller closes it.

    Args:
        uri: of an MLflow server or database; None for ``mlflow.db`` in ``home``; "memory:" for none.
        home: artifacts of experiments made here lie under its ``artifacts``, unless a server keeps them.

    Returns:
        A tracker that writes SQLite files itself if it knows their schema, and else asks the public client.

    Raises:
        TrackingUnavailable: the store cannot be reached now.
        TrackingSchemaError: the database is at another schema; the message names the command that brings it up.
        TrackingError: anything else.
    """
    if uri == "memory:":
        return MemoryTracker()
    # MLflow reads this once, when it is first imported. A choice the user made stays.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    uri = uri or default_uri(home)
    root = artifact_root(uri, Home(home).artifacts)
    from sparkml_track.trackers._mlflow.tracker import open_mlflow

    return open_mlflow(uri, root)
