"""Files of a run: written in place where the artifacts are local, else through MLflow's repositories."""

from __future__ import annotations

import logging
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

from sparkml_track import schema
from sparkml_track.adapters.mlflow.errors import hush, is_refusal
from sparkml_track.slot.host.trees import plain_files, remove_tree
from sparkml_track.trackers._base import ChildRun
from sparkml_track.trackers._content import Content, write_content

__all__ = ["links_in", "local_path", "store_child_files", "store_files", "trouble_with"]

_log = logging.getLogger(__name__)


def store_files(location: str, tracking_uri: str, texts: Mapping[str, Content], folder: Path | None = None) -> str:
    """Puts files under the artifacts of a run. Doing it twice leaves the same files.

    Args:
        location: of the run's artifacts.
        tracking_uri: of the store, for servers that pass artifacts on.
        texts: path under the artifacts to content.
        folder: copied whole; links are left out.

    Returns:
        What the store refused to take, empty for nothing: one bad name must not keep the rest from it.
    """
    local = local_path(location)
    if local is not None:
        _write(local, texts, folder)
        return ""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    hush()
    repository = get_artifact_repository(location, tracking_uri=tracking_uri)
    with tempfile.TemporaryDirectory(prefix="sparkml-") as staged:
        _write(Path(staged), texts, folder)
        return _send(repository, staged)


def local_path(location: str) -> Path | None:
    """The folder of artifacts that are on this machine, as MLflow itself finds it."""
    if location.startswith("/"):
        return Path(url2pathname(location))
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    return Path(local_file_uri_to_path(location)) if is_local_uri(location) else None


def _send(repository: Any, staged: str) -> str:
    """Sends all files; once one was refused, each by itself."""
    try:
        repository.log_artifacts(staged)
    except Exception as error:
        if not is_refusal(error):
            raise
    else:
        return ""
    refused = []
    for name in plain_files(staged)[0]:
        try:
            repository.log_artifact(f"{staged}/{name}", posixpath.dirname(name) or None)
        except Exception as error:
            if not is_refusal(error):
                raise
            refused.append(f"{name[:200]!a}")
    return f"the store refused {len(refused)} files: {', '.join(refused[:20])}" if refused else ""


def store_child_files(
    child: ChildRun, location: str, tracking_uri: str, before: Callable[[], str] = lambda: ""
) -> dict[str, str]:
    """Puts the log and what the attempt left under the artifacts of its child run.

    Args:
        child: the trial.
        location: of the run's artifacts.
        tracking_uri: of the store.
        before: stores what belongs elsewhere, and takes it away; gives what the store refused of it.

    Returns:
        The tag that says why they could not be kept, if so: a full or read-only artifact root costs no metrics.
    """
    log = child.log_file
    folder = None if child.in_place else child.artifacts
    if not (log or child.artifacts):
        return {}
    trouble = trouble_with(lambda: before() or store_files(location, tracking_uri, log, folder))
    if folder is not None and not trouble:  # the store has a copy
        remove_tree(str(folder))
    if not trouble:
        return {}
    return {schema.TAG_ARTIFACTS: f"{trouble}; they are in {folder} on the driver" if folder else trouble}


def trouble_with(store: Callable[[], str]) -> str:
    """Why files could not be stored where the store or the file system refused them; empty if they were."""
    try:
        text = store()
    except OSError as error:
        # Errors of requests are OSErrors too, without a number: the server is away, and the next try may succeed.
        if error.errno is None and not isinstance(error, shutil.Error):
            raise
        text = f"files could not be kept: {error}"[:500]
    if text:
        _log.warning("artifacts: %s", text)
    return text


def _write(root: Path, texts: Mapping[str, Content], folder: Path | None) -> None:
    if folder is not None and folder.is_dir():
        shutil.copytree(folder, root, ignore=links_in, dirs_exist_ok=True)
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_content(path, text)


def links_in(where: str, names: list[str]) -> list[str]:
    """The names of a folder that are links, which are never followed."""
    return [name for name in names if Path(where, name).is_symlink()]
