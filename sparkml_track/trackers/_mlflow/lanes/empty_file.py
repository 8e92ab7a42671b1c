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
    if kept is not None and kept.is_file():
        with suppress(sqlite3.Error):  # of one that is broken; the next one takes its place
            _copy(kept, path, artifact_root)
            return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    hush()
    SqlAlchemyStore(uri, artifact_root)
    if kept is not None:
        with suppress(OSError, sqlite3.Error):  # the next one takes its time, too
            _copy(path, kept)


def _kept(head: str) -> Path | None:
    """Where the first one is kept: in a folder that is this user's alone; None where there can be none."""
    try:
        return Path(user_folder()) / f"mlflow-{version('mlflow')}-{head}.db"
    except OSError:
        return None


def _copy(source: Path, target: Path, artifact_root: str = "") -> None:
    """Copies a database; whoever looks sees all of it or nothing."""
    descriptor, part = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(part)) as other:
            one.backup(other)
            _name_default(other, artifact_root)
        os.chmod(part, 0o666 & ~_umask())  # noqa: PTH101
        os.replace(part, target)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            os.unlink(part)  # noqa: PTH108
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _name_default(db: sqlite3.Connection, artifact_root: str) -> None:
    """Every store is born with one experiment, which keeps its artifacts in the store's own place."""
    now = int(time.time() * 1000)
    statement = "UPDATE experiments SET artifact_location = ?, creation_time = ?, last_update_time = ?"
    db.execute(statement, (f"{artifact_root}/0", now, now))
    db.commit()
