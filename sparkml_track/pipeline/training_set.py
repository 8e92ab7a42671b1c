"""The rows of the training set, cut by time as the config file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml_track.errors import DataError
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps.features import FeaturesBuilt
from sparkml_track.refs import DataRef

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["split", "splits", "watchable_columns"]

_WATCHABLE = frozenset({"double", "float", "long", "integer", "short", "byte", "boolean", "decimal", "string"})


def watchable_columns(project: Project) -> set[str]:
    """Columns of the training set that can be watched."""
    columns = project.tables().describe(project.kept(FeaturesBuilt).training).columns
    return {name for name, kind in columns.items() if kind.partition("(")[0] in _WATCHABLE}


def split(project: Project, table: pa.Table, name: str) -> pa.Table:
    """The rows of one period.

    Raises:
        DataError: there are none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    features = project.settings.features
    assert features is not None
    period = getattr(features.split, name)
    times = table[features.time]
    start, end = (pa.scalar(moment, pa.timestamp("us", "UTC")) for moment in (period.start, period.end))
    rows = table.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))
    if not rows.num_rows:
        seen = pc.min_max(times).as_py()
        raise DataError(
            f"split {name!r} ({period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}) has no rows; {features.time} is "
            f"from {seen['min']} to {seen['max']}: change features.split in {project.settings.file}"
        )
    return rows.combine_chunks()


def splits(project: Project, *names: str) -> tuple[dict[str, pa.Table], list[DataRef]]:
    """Splits of the training set, and references to them and to the tables they were made from."""
    made = project.kept(FeaturesBuilt)
    training = made.training
    table = project.tables().to_arrow(training)
    rows = {name: split(project, table, name) for name in names}
    refs = [DataRef(name, f"v{training.version}-{name}", each.num_rows, training) for name, each in rows.items()]
    refs += [DataRef(name, f"v{ref.version}", None, ref) for name, ref in made.tables.items()]
    return rows, refs
