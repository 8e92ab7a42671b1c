"""Data as MLflow's datasets: one version of a table is one dataset, whoever logs it and under what name."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sparkml_track.adapters.mlflow.values import clipped
from sparkml_track.refs import DataRef
from sparkml_track.schema import TAG_ROWS

__all__ = ["MAX_DIGEST", "Input", "dataset_identity", "dataset_inputs", "inputs_of", "logged_inputs"]

# Of mlflow.utils.validation; what is longer is refused.
MAX_DIGEST, _MAX_TAG_KEY, _MAX_TAG_VALUE = 36, 255, 500
_MAX_NAME, _MAX_SOURCE_TYPE, _MAX_SOURCE, _MAX_PROFILE = 500, 36, 65_535, 16_777_215


def dataset_identity(ref: DataRef) -> tuple[str, str]:
    """Name and digest of the dataset, by which MLflow knows it.

    They come from the table's name, path and version alone; data without a table has its own name and digest.
    """
    if ref.table is None:
        return ref.name, ref.digest[:MAX_DIGEST]
    where = hashlib.sha256(ref.table.path.encode("utf-8", "surrogatepass")).hexdigest()
    return ref.table.name, f"v{ref.table.version}-{where[:12]}"


class Input(NamedTuple):
    """A dataset that a run read, with the tags of its use; as MLflow's ``DatasetInput``."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None
    tags: Mapping[str, str]

    @property
    def identity(self) -> tuple[str, str]:
        """Name and digest, by which MLflow knows it in an experiment."""
        return self.name, self.digest


def inputs_of(data: Sequence[DataRef]) -> list[Input]:
    """The data of a run, one for each dataset.

    A run may read several parts of one table version. MLflow keeps one input for them: its context lists their names,
    and a tag for each says how many rows it had.
    """
    groups: dict[tuple[str, str], list[DataRef]] = {}
    for ref in data:
        groups.setdefault(dataset_identity(ref), []).append(ref)
    return [_clipped(_input(refs)) for refs in groups.values()]


def logged_inputs(inputs: Sequence[Mapping[str, Any]]) -> list[Input]:
    """Data sets that a trial logged through MLflow."""
    return [_clipped(Input(*(one[name] for name in Input._fields))) for one in inputs]


def _clipped(one: Input) -> Input:
    """Within the limits of MLflow's tables: one odd data set must not keep a batch from the store."""
    return Input(
        clipped(one.name, _MAX_NAME),
        clipped(one.digest, MAX_DIGEST),
        clipped(one.source_type, _MAX_SOURCE_TYPE),
        clipped(one.source, _MAX_SOURCE),
        clipped(one.schema, _MAX_SOURCE) if one.schema else None,
        clipped(one.profile, _MAX_PROFILE) if one.profile else None,
        {clipped(name, _MAX_TAG_KEY): clipped(value, _MAX_TAG_VALUE) for name, value in one.tags.items()},
    )


def dataset_inputs(inputs: Sequence[Input]) -> list[Any]:
    """The same as MLflow's client takes them."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [DatasetInput(Dataset(*one[:-1]), [InputTag(*tag) for tag in one.tags.items()]) for one in inputs]


def _tags(refs: Sequence[DataRef]) -> dict[str, str]:
    names = ", ".join(dict.fromkeys(ref.name for ref in refs))
    rows = {f"{TAG_ROWS}{ref.name}"[:_MAX_TAG_KEY]: str(ref.rows) for ref in refs if ref.rows is not None}
    return {"mlflow.data.context": names[:_MAX_TAG_VALUE], **rows}


def _input(refs: Sequence[DataRef]) -> Input:
    ref, tags = refs[0], _tags(refs)
    name, digest = dataset_identity(ref)
    if ref.table is None:
        source: dict[str, object] = {"tags": {"mlflow.source.name": sys.argv[0], "mlflow.source.type": "LOCAL"}}
        profile = None if ref.rows is None else json.dumps({"num_rows": ref.rows})
        return Input(name, digest, "code", json.dumps(source), None, profile, tags)
    # As DeltaDatasetSource.to_dict() writes it, which however leaves version 0 out. Rows are of the part that was read.
    source = {"path": ref.table.path, "delta_table_version": ref.table.version}
    return Input(name, digest, "delta_table", json.dumps(source), None, None, tags)
