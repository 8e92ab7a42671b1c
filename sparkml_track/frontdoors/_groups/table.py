"""The table of results: one row for each group, one version for each training."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.errors import DataError, SpecError, TableError
from sparkml_track.frontdoors._groups.fitted import POINT, SmallSweep
from sparkml_track.frontdoors._groups.objective import MODEL_BYTES, model_file
from sparkml_track.frontdoors._groups.staging import Groups, label
from sparkml_track.home import Home
from sparkml_track.refs import TableRef
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["COLUMNS", "LARGE", "ResultTable", "mounted", "table_name"]

#: Bytes of a model from which on it stays a file, named in the table.
LARGE = 64 << 10
_SCHEMA = {
    "status": pa.string(),
    "rows": pa.int64(),
    "seconds": pa.float64(),
    "metrics": pa.map_(pa.string(), pa.float64()),
    "params": pa.string(),
    "reason": pa.string(),
    "error": pa.string(),
    "number": pa.int64(),
    "attempts": pa.int64(),
    "model": pa.binary(),
    "model_path": pa.string(),
    "sweep": pa.string(),
    "run_id": pa.string(),
}
#: Columns after the keys.
COLUMNS = tuple(_SCHEMA)


def table_name(name: str) -> str:
    """The table of a sweep that names none."""
    text = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:100] or "groups"
    return f"_{text}" if text[0].isdigit() else text


def mounted(argument: str, path: str | Path, allowed: str) -> Path:
    """An absolute path.

    Raises:
        SpecError: it is a URL.
    """
    if "://" in str(path):
        raise SpecError(
            f"{argument} is {path!r}; allowed is {allowed}; an object store only where it is mounted as a file system"
        )
    return Path(path).expanduser().absolute()


@dataclass(frozen=True)
class Trained:
    """What is written.

    Attributes:
        groups: all of them.
        result: of the sweep.
        small: the sweep inside of each group, if there was one.
        models: folder in which slots left the models.
        kept: folder that takes those that are too large for the table.
    """

    groups: Groups
    result: SweepResult
    small: SmallSweep | None
    models: Path
    kept: Path

    def rows(self) -> pa.Table:
        """One row for each group.

        Raises:
            DataError: the file of a model is gone.
        """
        trials = {trial.number: trial for trial in self.result.trials}
        rows = [self._row(number, trials.get(number)) for number in range(len(self.groups))]
        columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in _SCHEMA.items()}
        table = self.groups.keys
        for name, column in columns.items():
            table = table.append_column(name, column)
        return table

    def _row(self, number: int, trial: Result | None) -> dict[str, object]:
        common: dict[str, object] = {"number": number, "rows": self.groups.counts[number]}
        common |= {"sweep": self.result.sweep, "run_id": self.result.run_id}
        row: dict[str, object] = dict.fromkeys(COLUMNS) | common
        if trial is None:
            return row | {"status": "not started", "attempts": 0, "metrics": []}
        metrics = dict(trial.metrics)
        row |= {"status": trial.state.value, "attempts": trial.attempts, "seconds": trial.duration}
        row |= {"reason": trial.reason or None, "error": trial.message or None, "metrics": list(metrics.items())}
        if self.small is not None and POINT in metrics:
            row["params"] = json.dumps(self.small.points[int(metrics[POINT])])
        return row | (self._model(trial) if metrics.get(MODEL_BYTES) else {})

    def _model(self, trial: Result) -> dict[str, object]:
        """The model of a group: the driver does not load it."""
        path = Path(model_file(str(self.models), trial.number, trial.attempts))
        kept = self.kept / path.name
        try:
            if trial.metrics[MODEL_BYTES] < LARGE:
                return {"model": path.read_bytes()}
            if not kept.exists():
                self.kept.mkdir(parents=True, exist_ok=True)
                path.replace(kept)
        except OSError as error:
            raise DataError(
                f"the model of group {self.groups.rows.names[trial.number]} is not at {path} any more "
                f"({error.strerror}): train anew with resume='never'"
            ) from None
        return {"model_path": str(kept)}


@dataclass(frozen=True)
class ResultTable:
    """A Delta table of results.

    Attributes:
        root: the folder, or the address, it is in.
        name: its name there.
    """

    root: str | Path
    name: str

    @classmethod
    def of(cls, table: str | Path, home: Home) -> ResultTable:
        """A name under the home's tables, or the path of a folder.

        Raises:
            SpecError: it is a URL.
        """
        if isinstance(table, Path) or os.sep in table:
            path = mounted("table", table, "a name, or the path of a folder")
            return cls(path.parent, path.name)
        return cls(home.tables_root, table)

    def check(self) -> None:
        """Refuses a table of something else.

        Raises:
            TableError: it is one, or the name is not valid.
        """
        tables = DeltaTables(self.root)
        if tables.exists(self.name) and not set(COLUMNS) <= set(tables.describe(self.name).columns):
            raise TableError(
                f"table {self.name} under {self.root} is not one of group models, and would be overwritten; give "
                "table= another name"
            )

    def write(self, trained: Trained, made_from: Sequence[TableRef] = ()) -> TableRef:
        """Writes a version; earlier ones can still be read.

        Args:
            trained: the rows.
            made_from: versions that the rows of the groups come from.
        """
        return DeltaTables(self.root).write(
            self.name, trained.rows(), mode="overwrite", description="models of groups", made_from=made_from
        )

    def latest(self) -> TableRef:
        """The newest version.

        Raises:
            TableError: there is no such table, or it is one of something else.
        """
        self.check()
        return DeltaTables(self.root).latest(self.name)


def keys_of(ref: TableRef) -> dict[str, str]:
    """The key columns of a version, with their Delta types."""
    columns = DeltaTables(ref.path.rpartition("/")[0]).describe(ref).columns
    return {name: kind for name, kind in columns.items() if name not in COLUMNS}


def read(ref: TableRef, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a version, the largest group first."""
    names = list(columns) if columns is not None else [*keys_of(ref), *COLUMNS]
    found = DeltaTables(ref.path.rpartition("/")[0]).to_arrow(ref, [*dict.fromkeys([*names, "number"])])
    return found.sort_by("number").select(names)


def read_by_spark(ref: TableRef, session: SparkSession) -> Any:
    """The same as a data frame of Spark."""
    return DeltaTables(ref.path.rpartition("/")[0], spark=session).read(ref)


def load(ref: TableRef, key: object) -> object:
    """Unpickles the model of one group.

    Raises:
        SpecError: the key has another form.
        DataError: there is no such group, or it has no model.
    """
    keys = tuple(keys_of(ref))
    wanted = _wanted(key, keys)
    found = read(ref, [*keys, "number", "status", "error"])
    shown = ", ".join(f"{name}={value!r}" for name, value in zip(keys, wanted, strict=True))
    columns = [found[name].to_pylist() for name in keys]
    for at, values in enumerate(zip(*columns, strict=True)):
        if values == wanted or tuple(map(label, values)) == wanted:
            return _loaded(ref, found.slice(at, 1).to_pylist()[0], shown)
    raise DataError(f"table {ref} has no group {shown}; it has {found.num_rows:,} groups, by {', '.join(keys)}")


def _wanted(key: object, keys: Sequence[str]) -> tuple[object, ...]:
    if isinstance(key, Mapping):
        if set(key) != set(keys):
            got = ", ".join(map(str, key)) or "nothing"
            raise SpecError(f"key has {got}; allowed is a value for each of {', '.join(keys)}")
        return tuple(key[name] for name in keys)
    values = tuple(key) if isinstance(key, tuple | list) else (key,)
    if len(values) != len(keys):
        raise SpecError(f"key is {key!r}; allowed is one value for each of {', '.join(keys)}")
    return values


def _loaded(ref: TableRef, row: Mapping[str, Any], shown: str) -> object:
    models = read(ref, ["number", "model", "model_path"])
    found = models.filter(pc.equal(models["number"], row["number"])).to_pylist()[0]
    data = found["model"] if found["model_path"] is None else Path(found["model_path"]).read_bytes()
    if data is None:
        why = (row["error"] or "fn returned metrics alone").splitlines()[0]
        raise DataError(f"group {shown} has no model in table {ref}: it is {row['status']}: {why}")
    return pickle.loads(data)  # noqa: S301 - said in the docstring of load_model
