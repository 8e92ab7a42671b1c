"""Files of a run: written in place where the artifacts are local, else through MLflow's repositories."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

__all__ = ["store_files"]


def store_files(location: str, tracking_uri: str, texts: Mapping[str, str], folder: Path | None = None) -> None:
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


def _write(root: Path, texts: Mapping[str, str], folder: Path | None) -> None:
    if folder is not None and folder.is_dir():
        shutil.copytree(folder, root, ignore=_links, dirs_exist_ok=True)
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")


def _links(where: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(where, name).is_symlink()]
