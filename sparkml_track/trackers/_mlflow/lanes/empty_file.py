"""A SQLite file with MLflow's tables and nothing in them.

MLflow makes one by 68 migrations, which takes seconds with its import. So the first one that this user makes on this
host is kept, and others begin as its copies.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

from sparkml_track.adapters.mlflow.errors import hush
from sparkml_track.adapters.mlflow.uri import below
from sparkml_track.slot.host.folder import user_folder

__all__ = ["make_empty"]


def make_empty(uri: str, path: Path, artifact_root: str, head: str) -> None:
    """Makes the file; under a lock.

    Args:
        uri: of the file.
        path: the same; it is not there, or empty.
        artifact_root: where its first experiment keeps its artifacts.
        head: the schema revision.
    """
    kept = _kept(head)
    if kept is not None:
        with suppress(sqlite3.Error, OSError):  # of one that is broken, or of a full disk: MLflow makes it in its place
            if not kept.is_file():
                _make(kept)
            _copy(kept, path, artifact_root)
            return
    _by_mlflow(uri, artifact_root)


def _make(kept: Path) -> None:
    """Makes the one that others are copies of, where nobody else writes to it meanwhile."""
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="mlflow-") as folder:
        part = Path(folder) / kept.name
        _by_mlflow(f"sqlite:///{part}", folder)
        part.replace(kept)


def _by_mlflow(uri: str, artifact_root: str) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    hush()
    SqlAlchemyStore(uri, artifact_root)


def _kept(head: str) -> Path | None:
    """Where the first one is kept: in a folder that is this user's alone; None where there can be none."""
    try:
        return Path(user_folder()) / f"mlflow-{version('mlflow')}-{head}.db"
    except OSError:
        return None


def _copy(source: Path, target: Path, artifact_root: str) -> None:
    """Copies a database; whoever looks sees all of it or nothing."""
    target = Path(os.path.realpath(target))
    part = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    # As the process makes files, or as the empty one is that it replaces.
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    try:
        with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(part)) as other:
            one.backup(other)
            _name_default(other, artifact_root)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _name_default(db: sqlite3.Connection, artifact_root: str) -> None:
    """Every store is born with one experiment, which keeps its artifacts in the store's own place."""
    now, location = int(time.time() * 1000), below(artifact_root, "0")
    statement = "UPDATE experiments SET artifact_location = ?, creation_time = ?, last_update_time = ?"
    db.execute(f"{statement} WHERE experiment_id = 0", (location, now, now))
    db.commit()
