"""Experiments, found or made by one rule: whoever writes the first run of one decides nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sparkml_track.errors import TrackingError

__all__ = ["KIND", "artifact_location", "artifact_root", "experiment_ids", "find_experiment"]

#: MLflow's UI shows runs and charts of an experiment of this kind, not an overview of traces.
KIND = {"mlflow.experimentKind": "custom_model_development"}
_PAGE = 1000
_MAX_FOLDER = 60  # file systems take 255 bytes; letters may take four each


def artifact_root(uri: str, folder: Path) -> str | None:
    """Where experiments that are made in a store keep their artifacts.

    Args:
        uri: of the tracking store.
        folder: of the home, for stores that have no place of their own.

    Returns:
        The folder's absolute path; None where the store chooses: a server, Databricks, or a folder of MLflow's.
    """
    chooses = "://" not in uri or uri.startswith(("http", "databricks"))
    return None if chooses else str(folder.absolute())


def artifact_location(root: str | None, name: str) -> str | None:
    """The artifact location of an experiment; None leaves it to the store.

    Two experiments may share a folder, since runs have ids of their own.
    """
    folder = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:_MAX_FOLDER] or "experiment"
    return f"{root}/{folder}" if root else None


def find_experiment(client: Any, name: str, root: str | None) -> str:
    """The id of an experiment, made if it is missing.

    Args:
        client: MLflow's.
        name: of the experiment.
        root: see ``artifact_root``.

    Raises:
        TrackingError: it is deleted. Foreign errors pass.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            made = client.create_experiment(name, artifact_location=artifact_location(root, name), tags=KIND)
            return _id_in(made, name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)  # another process was quicker
    if found is not None:
        experiment_id = _id_in(found.experiment_id, name)
        if found.lifecycle_stage == "active":
            return experiment_id
    raise TrackingError(
        f"The experiment {name!r} is deleted. Restore it (mlflow experiments restore) or use another name."
    )


def experiment_ids(client: Any) -> list[str]:
    """Of all active experiments, page by page."""
    found, token = [], None
    while True:
        page = client.search_experiments(max_results=_PAGE, page_token=token)
        found += [str(one.experiment_id) for one in page]
        token = page.token
        if not token:
            return found


def _id_in(answer: object, name: str) -> str:
    if not answer:
        from sparkml_track.adapters.mlflow.errors import OddAnswer

        raise OddAnswer(f"The tracking server was asked for the experiment {name!r} and answered without it.")
    return str(answer)
