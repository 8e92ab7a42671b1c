"""MLflow's tables, as its own store fills them. Each row names its run, or its model, in the last column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = [
    "DATASETS",
    "EXPERIMENTS",
    "EXPERIMENT_TAGS",
    "INPUTS",
    "INPUT_TAGS",
    "KNOWN_REVISIONS",
    "LATEST",
    "METRICS",
    "MODELS",
    "MODEL_PARAMS",
    "MODEL_TAGS",
    "OUTPUTS",
    "PARAMS",
    "RUNS",
    "TAGS",
    "Conflict",
    "Table",
    "schema_head",
]

#: Schema revisions that the SQL lanes passed their conformance cases on, with how many migrations lead there.
KNOWN_REVISIONS = {"dc11669786a5": 68}  # MLflow 3.17
_MIGRATIONS = "store/db_migrations/versions"


class Conflict(Enum):
    """What becomes of a row whose key is there already."""

    REFUSE = "refuse"
    IGNORE = "ignore"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and how rows go into it.

    Attributes:
        name: of the table.
        columns: those that rows give, with their types in PostgreSQL.
        fixed: those that are the same in all rows, as literals of SQL.
        key: the primary key.
        kept: columns that stay as they are in a row that is there.
        conflict: what becomes of a row that is there.
        only: a condition under which one is replaced.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    conflict: Conflict = Conflict.REFUSE
    only: str = ""

    def insert(self, rows: str, conflict: Conflict | None = None) -> str:
        """The statement that adds rows.

        Args:
            rows: ``VALUES (...)`` or ``SELECT ...``, all columns in order, the fixed ones last.
            conflict: another way to go about rows that are there.
        """
        names = (*self.columns, *self.fixed)
        return f"INSERT INTO {self.name} ({', '.join(names)}) {rows}{self._on(conflict or self.conflict)}"

    def _on(self, conflict: Conflict) -> str:
        if conflict is Conflict.REFUSE:
            return ""
        if conflict is Conflict.IGNORE:
            return " ON CONFLICT DO NOTHING"
        changed = [name for name in (*self.columns, *self.fixed) if name not in self.key + self.kept]
        sets = ", ".join(f"{name} = excluded.{name}" for name in changed)
        return f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {sets}" + (
            f" WHERE {self.only}" if self.only else ""
        )


_TEXT, _BIG, _INT, _FLOAT, _BOOL = "text", "bigint", "integer", "float8", "bool"
_RUN = {"run_uuid": _TEXT}
_VALUE = {"key": _TEXT, "value": _TEXT}
_METRIC = {"key": _TEXT, "value": _FLOAT, "timestamp": _BIG, "step": _BIG, "is_nan": _BOOL}
_INPUT = {"input_uuid": _TEXT, "source_id": _TEXT, "destination_id": _TEXT}

EXPERIMENTS = Table(
    "experiments",
    {"name": _TEXT, "artifact_location": _TEXT, "creation_time": _BIG, "last_update_time": _BIG},
    fixed={"lifecycle_stage": "'active'"},
    conflict=Conflict.IGNORE,
)
EXPERIMENT_TAGS = Table(
    "experiment_tags", {"key": _TEXT, "value": _TEXT, "experiment_id": _INT}, conflict=Conflict.IGNORE
)
RUNS = Table(
    "runs",
    {
        "name": _TEXT,
        "user_id": _TEXT,
        "status": _TEXT,
        "start_time": _BIG,
        "end_time": _BIG,
        "artifact_uri": _TEXT,
        "experiment_id": _INT,
        **_RUN,
    },
    ("run_uuid",),
    {
        "source_type": "'UNKNOWN'",
        "source_name": "''",
        "entry_point_name": "''",
        "deleted_time": "NULL",
        "source_version": "''",
        "lifecycle_stage": "'active'",
    },
    kept=("artifact_uri", "experiment_id"),
    conflict=Conflict.REPLACE,
)
TAGS = Table("tags", {**_VALUE, **_RUN}, ("key", "run_uuid"), conflict=Conflict.REPLACE)
PARAMS = Table("params", {**_VALUE, **_RUN})
METRICS = Table("metrics", {**_METRIC, **_RUN})
LATEST = Table("latest_metrics", {**_METRIC, **_RUN}, ("key", "run_uuid"), conflict=Conflict.REPLACE)
DATASETS = Table(
    "datasets",
    {
        "dataset_uuid": _TEXT,
        "experiment_id": _INT,
        "name": _TEXT,
        "digest": _TEXT,
        "dataset_source_type": _TEXT,
        "dataset_source": _TEXT,
        "dataset_schema": _TEXT,
        "dataset_profile": _TEXT,
    },
    conflict=Conflict.IGNORE,
)
INPUTS = Table(
    "inputs",
    _INPUT,
    fixed={"source_type": "'DATASET'", "destination_type": "'RUN'", "step": "0"},
    conflict=Conflict.IGNORE,
)
INPUT_TAGS = Table("input_tags", {"name": _TEXT, "value": _TEXT, "input_uuid": _TEXT}, conflict=Conflict.IGNORE)
MODELS = Table(
    "logged_models",
    {
        "model_id": _TEXT,
        "experiment_id": _INT,
        "name": _TEXT,
        "artifact_location": _TEXT,
        "creation_timestamp_ms": _BIG,
        "last_updated_timestamp_ms": _BIG,
        "status": _INT,
        "model_type": _TEXT,
        "source_run_id": _TEXT,
    },
    ("model_id",),
    {"lifecycle_stage": "'active'"},
    conflict=Conflict.REPLACE,
    kept=("experiment_id", "artifact_location", "lifecycle_stage"),
    # Trials name their models: one that names another's, or one that was deleted, leaves it as it is.
    only="logged_models.source_run_id = excluded.source_run_id "
    "AND logged_models.experiment_id = excluded.experiment_id AND logged_models.lifecycle_stage = 'active'",
)
MODEL_TAGS, MODEL_PARAMS = (
    Table(
        f"logged_model_{kind}s",
        {f"{kind}_key": _TEXT, f"{kind}_value": _TEXT, "model_id": _TEXT, "experiment_id": _INT},
        ("model_id", f"{kind}_key"),
        conflict=Conflict.REPLACE,
    )
    for kind in ("tag", "param")
)
OUTPUTS = Table(
    "inputs",
    _INPUT,
    fixed={"source_type": "'RUN_OUTPUT'", "destination_type": "'MODEL_OUTPUT'", "step": "0"},
    conflict=Conflict.IGNORE,
)


@cache
def schema_head() -> str:
    """The schema revision of the installed MLflow: of its files where they are known, else by asking it."""
    spec = find_spec("mlflow")
    folders = (spec.submodule_search_locations if spec is not None else None) or ()
    names = [path.name for folder in folders for path in (Path(folder) / _MIGRATIONS).glob("*.py")]
    for head, count in KNOWN_REVISIONS.items():
        # A later revision would be one file more.
        if len(names) == count and any(name.startswith(f"{head}_") for name in names):
            return head
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())
