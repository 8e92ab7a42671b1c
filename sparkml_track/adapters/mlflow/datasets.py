"""Data as MLflow's datasets: one version of a table is one dataset, whoever logs it and under what name."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_track.refs import DataRef
from sparkml_track.schema import TAG_ROWS

__all__ = ["MAX_DIGEST", "dataset_identity", "dataset_inputs", "logged_inputs"]

# Of mlflow.utils.validation; what is longer is refused.
MAX_DIGEST, _MAX_TAG_KEY, _MAX_TAG_VALUE = 36, 255, 500


def dataset_identity(ref: DataRef) -> tuple[str, str]:
    """Name and digest of the dataset, by which MLflow knows it.

    They come from the table's name, path and version alone; data without a table has its own name and digest.
    """
    if ref.table is None:
        return ref.name, ref.digest[:MAX_DIGEST]
    where = hashlib.sha256(ref.table.path.encode("utf-8", "surrogatepass")).hexdigest()
    return ref.table.name, f"v{ref.table.version}-{where[:12]}"


def dataset_inputs(data: Sequence[DataRef]) -> list[Any]:
    """The data of a run as MLflow's ``DatasetInput``, one for each dataset.

    A run may read several parts of one table version. MLflow keeps one input for them: its context lists their names,
    and a tag for each says how many rows it had.
    """
    from mlflow.entities import DatasetInput

    groups: dict[tuple[str, str], list[DataRef]] = {}
    for ref in data:
        groups.setdefault(dataset_identity(ref), []).append(ref)
    return [DatasetInput(_dataset(refs[0]), _tags(refs)) for refs in groups.values()]


def logged_inputs(inputs: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Data sets that a trial logged through MLflow as its ``DatasetInput``."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    def given(one: Mapping[str, Any]) -> Any:
        fields = {name: one[name] or None for name in ("schema", "profile")}
        return Dataset(one["name"], one["digest"][:MAX_DIGEST], one["source_type"], one["source"], **fields)

    return [DatasetInput(given(one), [InputTag(*tag) for tag in one["tags"].items()]) for one in inputs]


def _tags(refs: Sequence[DataRef]) -> list[Any]:
    from mlflow.entities import InputTag

    names = ", ".join(dict.fromkeys(ref.name for ref in refs))
    rows = {f"{TAG_ROWS}{ref.name}"[:_MAX_TAG_KEY]: str(ref.rows) for ref in refs if ref.rows is not None}
    tags = {"mlflow.data.context": names[:_MAX_TAG_VALUE], **rows}
    return [InputTag(name, value) for name, value in tags.items()]


def _dataset(ref: DataRef) -> Any:
    from mlflow.entities import Dataset

    name, digest = dataset_identity(ref)
    if ref.table is None:
        source: dict[str, object] = {"tags": {"mlflow.source.name": sys.argv[0], "mlflow.source.type": "LOCAL"}}
        profile = None if ref.rows is None else json.dumps({"num_rows": ref.rows})
        return Dataset(name, digest, "code", json.dumps(source), profile=profile)
    # As DeltaDatasetSource.to_dict() writes it, which however leaves version 0 out. Rows are of the part that was read.
    source = {"path": ref.table.path, "delta_table_version": ref.table.version}
    return Dataset(name, digest, "delta_table", json.dumps(source))
