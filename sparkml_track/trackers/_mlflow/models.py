"""Models that trials log: their files go where MLflow keeps those of an experiment, and say whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sparkml_track.adapters.mlflow.uri import below
from sparkml_track.slot.host.trees import remove_tree
from sparkml_track.trackers._base import ChildRun
from sparkml_track.trackers._mlflow.artifacts import store_files

__all__ = ["kept_models", "model_folder", "model_location", "place_of", "store_models"]

_FOLDER = "models"


def kept_models(child: ChildRun) -> Iterator[Mapping[str, Any]]:
    """The models of a trial whose artifacts are kept."""
    if child.artifacts is not None:
        yield from child.logged.models


def place_of(child: ChildRun, model_id: str) -> str:
    """Where the files of a model stay, on shared storage; empty where the store keeps them."""
    return str(_within(child, model_id)) if child.in_place else ""


def model_location(root: str, model_id: str) -> str:
    """Where the store keeps the files of a model, below the artifacts of its experiment."""
    return below(root, _FOLDER, model_id, "artifacts")


def store_models(child: ChildRun, run_id: str, root: str, tracking_uri: str) -> str:
    """Takes the files of models out of what a trial left, and stores them.

    Args:
        child: the trial.
        run_id: of its child run.
        root: where the experiment keeps its artifacts.
        tracking_uri: of the store.

    Returns:
        What the store refused to take, empty for nothing.
    """
    refused = ""
    for model in kept_models(child):
        folder = _within(child, model["id"])
        location = place_of(child, model["id"]) or model_location(root, model["id"])
        if _is_whole(folder, child.artifacts):  # else an earlier try has stored it, or a link lies in its place
            _rename(folder / "MLmodel", model["run_id"], run_id, location)
            if not child.in_place:
                refused = refused or store_files(location, tracking_uri, {}, folder)
                remove_tree(str(folder.parent))
                with suppress(OSError):  # the last one leaves it empty
                    folder.parent.parent.rmdir()
    return refused


def _within(child: ChildRun, model_id: str) -> Path:
    assert child.artifacts is not None
    return model_folder(child.artifacts, model_id)


def model_folder(left: Path, model_id: str) -> Path:
    """Where the files of a model are in what a trial left."""
    return left / _FOLDER / model_id / "artifacts"


def _is_whole(folder: Path, left: Path | None) -> bool:
    parts = [folder, *(each for each in folder.parents if left is not None and each.is_relative_to(left))]
    return folder.is_dir() and not any(each.is_symlink() for each in parts)


def _rename(mlmodel: Path, old: str, run_id: str, location: str) -> None:
    """In the slot the run had another id, and the files another place."""
    if mlmodel.is_file() and not mlmodel.is_symlink():
        text = mlmodel.read_text().replace(f"run_id: {old}", f"run_id: {run_id}")
        mlmodel.write_text(re.sub(r"(?m)^artifact_path: .*$", lambda _: f"artifact_path: {location}", text, count=1))
