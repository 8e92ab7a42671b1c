"""MLflow's model registry.

member   the registry
runs     runs that are not sweeps
files    a model as a folder in MLflow's format
flavors  models that are not scikit-learn's
carried  what such a folder says of the model's features
"""

from __future__ import annotations

from sparkml_track.registries._mlflow.member import MlflowRegistry

__all__ = ["MlflowRegistry"]
