"""Files of a run: written in place where the artifacts are local, else through MLflow's repositories."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from sparkml_track import schema
from sparkml_track.trackers._base import ChildRun
from sparkml_track.trackers._content import Content, write_content

__all__ = ["store_child_files", "store_files", "trouble_with"]

_log = logging.getLogger(__name__)


def store_files(location: str, tracking_uri: str, texts: Mapping[str, Content], folder: Path | None = None) -> None:
    """Puts files under the artifacts of a run. Doing it twice leaves the same files.

    Args:
        location: of the run's artifacts.
        tracking_uri: of the store, for servers that pass artifacts on.
        texts: path under the artifacts to content.
        folder: copied whole; links are left out.
    """
    if is_local_uri(location):
        _write(Path(local_file_uri_to_path(location)), texts, folder)
        return
    repository = get_artifact_repository(location, tracking_uri=tracking_uri)
    with tempfile.TemporaryDirectory(prefix="sparkml-") as staged:
        _write(Path(staged), texts, folder)
        repository.log_artifacts(staged)


def store_child_files(child: ChildRun, location: str, tracking_uri: str) -> dict[str, str]:
    """Puts the log and what the attempt left under the artifacts of its child run.

    Returns:
        The tag that says why they could not be kept, if so: a full or read-only artifact root costs no metrics.
    """
    log = {schema.ARTIFACT_LOG: child.log} if child.log else {}
    folder = None if child.in_place else child.artifacts
    if not (log or folder):
        return {}
    trouble = trouble_with(lambda: store_files(location, tracking_uri, log, folder))
    if trouble:
        kept = f"; they are in {folder} on the driver" if folder else ""
        return {schema.TAG_ARTIFACTS: trouble + kept}
    if folder is not None:  # the store has a copy
        shutil.rmtree(folder, ignore_errors=True)
    return {}


def trouble_with(store: Callable[[], None]) -> str:
    """Why files could not be stored where the file system refused them; empty if they were."""
    try:
        store()
    except OSError as error:
        # Errors of requests are OSErrors too, without a number: the server is away, and the next try may succeed.
        if error.errno is None and not isinstance(error, shutil.Error):
            raise
        text = f"files could not be kept: {error}"[:500]
        _log.warning("artifacts: %s", text)
        return text
    return ""


def _write(root: Path, texts: Mapping[str, Content], folder: Path | None) -> None:
    if folder is not None and folder.is_dir():
        shutil.copytree(folder, root, ignore=_links, dirs_exist_ok=True)
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_content(path, text)


def _links(where: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(where, name).is_symlink()]
