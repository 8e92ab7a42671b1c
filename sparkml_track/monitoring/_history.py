"""The tables of monitoring: each run appends its rows, so that they can be followed over runs.

Every row has the run's id and the time it was made. The rows of one run are one commit of each table; a run of the same
id that is tried again adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkml_track.monitoring._found import BASELINE, CalibrationBin, Drift, Fairness, Profile, Quality, Verdict
from sparkml_track.refs import TableRef

if TYPE_CHECKING:
    from sparkml_track.tables import Tables

__all__ = ["Stamp", "append", "earlier", "schema_of"]

_ROWS: Mapping[str, Any] = {
    "profile": Profile,
    "drift": Drift,
    "quality": Quality,
    "calibration": CalibrationBin,
    "fairness": Fairness,
    "verdict": Verdict,
}
_TYPES = {"str": pa.string(), "str | None": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_ONCE = 1  # the count of a run, which writes each table once


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the rows of one run have in common.

    Attributes:
        run_id: of the monitoring job.
        monitored_at: with a time zone.
    """

    run_id: str
    monitored_at: datetime


def schema_of(table: str) -> pa.Schema:
    """The columns of a table: run and time, then those of what was found."""
    columns = [pa.field(each.name, _TYPES[str(each.type)]) for each in fields(_ROWS[table])]
    return pa.schema([("run_id", pa.string()), ("monitored_at", pa.timestamp("us", "UTC")), *columns])


def append(tables: Tables, target: str, stamp: Stamp, found: Mapping[str, Sequence[Any]]) -> dict[str, TableRef]:
    """Appends what a run found; tables of which nothing was found are left alone.

    Args:
        tables: take the rows.
        target: prefix of their names.
        stamp: of the run.
        found: by table.

    Returns:
        The versions that have the rows.
    """
    return {
        name: tables.write(
            f"{target}_{name}",
            pa.Table.from_pylist([asdict(stamp) | asdict(row) for row in rows], schema_of(name)),
            mode="append",
            evolve=True,
            transaction=(f"monitoring-{stamp.run_id}", _ONCE),
        )
        for name, rows in found.items()
        if rows
    }


def earlier(tables: Tables, target: str, run_id: str) -> dict[tuple[str, str], tuple[float, str]]:
    """PSI and verdict of each column and window, as the last of the runs before saw it; all rows, by the baseline.

    Args:
        tables: that have them.
        target: prefix of their names.
        run_id: of this run, whose own rows are left out.
    """
    name = f"{target}_drift"
    if not tables.exists(name):
        return {}
    wanted = ["run_id", "monitored_at", "against", "slice_key", "column", "window", "psi", "verdict"]
    rows = tables.to_arrow(name, wanted).sort_by("monitored_at").to_pylist()
    return {
        (row["column"], row["window"]): (row["psi"], row["verdict"])
        for row in rows
        if row["run_id"] != run_id and row["against"] == BASELINE and row["slice_key"] is None
    }
