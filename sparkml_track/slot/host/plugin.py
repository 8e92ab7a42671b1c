"""Offers MLflow the store of slots: a package that is installed for whoever has this folder on ``sys.path``."""

from __future__ import annotations

import os

from .paths import HostPaths

__all__ = ["offer_mlflow_store"]

_METADATA = "Metadata-Version: 2.1\nName: sparkml-trial\nVersion: 1\n"
_ENTRY_POINTS = """\
[mlflow.tracking_store]
sparkml = {package}._mlflow_store:TrialStore
[mlflow.model_registry_store]
sparkml = {package}._mlflow_store:registry
"""


def offer_mlflow_store(host: str, package: str) -> str:
    """Makes the folder.

    Args:
        host: folder of the host.
        package: by which the code of slots is imported there.

    Returns:
        What belongs on ``sys.path``.
    """
    folder = HostPaths(host).mlflow_store
    about = os.path.join(folder, "sparkml_trial-1.dist-info")
    os.makedirs(about, mode=0o700, exist_ok=True)
    for name, text in (("METADATA", _METADATA), ("entry_points.txt", _ENTRY_POINTS.format(package=package))):
        path = os.path.join(about, name)
        with open(f"{path}.{os.getpid()}", "w") as file:
            file.write(text)
        os.rename(file.name, path)
    return folder
