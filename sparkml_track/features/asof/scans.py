"""Which Parquet files a data frame reads, where it does nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

__all__ = ["Scan", "scan_of"]

#: Files whose footers are read to see whether they are as Spark reads them.
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Scan:
    """Files on this machine, all of the same columns.

    Attributes:
        files: absolute paths.
        columns: column of the data frame to column of the files.
        size: bytes of all files.
    """

    files: tuple[str, ...]
    columns: Mapping[str, str]
    size: int


def scan_of(frame: DataFrame, kinds: Mapping[str, pa.DataType]) -> Scan | None:
    """Find the files of a data frame that reads whole Parquet files of this machine and at most picks columns.

    Args:
        frame: of a classic session.
        kinds: column of the data frame to its type in Arrow.

    Returns:
        None for any other data frame, and where another reader could see other values: other types than the data
        frame's, calendars of old Spark versions, columns that are not in each file.
    """
    plan: Any = frame._jdf.queryExecution().optimizedPlan()  # noqa: SLF001
    picked = _picked(plan)
    if picked is None:
        return None
    relation = plan if _name(plan) == "LogicalRelation" else plan.child()
    files = _files(relation.relation())
    columns = {name: picked[name] for name in kinds if name in picked}
    if not files or len(columns) < len(kinds) or not all(_is_read_so(file, columns, kinds) for file in files):
        return None
    return Scan(files, columns, sum(Path(file).stat().st_size for file in files))


def _picked(plan: Any) -> dict[str, str] | None:
    """Columns of a plan to columns of the relation it reads; None for a plan that does more."""
    if _name(plan) == "LogicalRelation":
        return {each.name(): each.name() for each in _all(plan.output())}
    if _name(plan) != "Project" or _name(plan.child()) != "LogicalRelation":
        return None
    picked = {}
    for each in _all(plan.projectList()):
        source = each.child() if _name(each) == "Alias" else each
        if _name(source) != "AttributeReference":
            return None
        picked[each.name()] = source.name()
    return picked


def _files(relation: Any) -> tuple[str, ...]:
    if _name(relation) != "HadoopFsRelation" or _name(relation.fileFormat()) != "ParquetFileFormat":
        return ()
    if not relation.partitionSchema().isEmpty():
        return ()
    found = [urlsplit(uri) for uri in relation.location().inputFiles()]
    paths = tuple(unquote(uri.path) for uri in found)
    # DuckDB takes some characters for patterns.
    odd = any(uri.scheme != "file" or uri.query or uri.fragment or set(uri.path) & set("*?[]{}") for uri in found)
    odd = odd or any(set(path) & set("*?[]{}\\") for path in paths)
    return () if odd or len(paths) > _MOST else paths


def _is_read_so(file: str, columns: Mapping[str, str], kinds: Mapping[str, pa.DataType]) -> bool:
    """Whether a file has these columns, of these types, in the calendar of today."""
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(file)
        schema = footer.schema.to_arrow_schema()
    except (OSError, ValueError):  # Spark says what is wrong with it
        return False
    if any(b"legacy" in key.lower() for key in footer.metadata or {}):
        return False
    there = {field.name: _plain(field.type) for field in schema}
    unique = len({name.lower() for name in schema.names}) == len(schema.names)
    return unique and all(there.get(column) == kinds[name] for name, column in columns.items())


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type as Spark has it: writers keep texts in several forms, and the zone of an instant is a mere note."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if kind in (pa.large_string(), pa.string_view()):
        return pa.string()
    if kind in (pa.large_binary(), pa.binary_view()):
        return pa.binary()
    return pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) and kind.unit == "us" and kind.tz else kind


def _name(thing: Any) -> str:
    return str(thing.getClass().getSimpleName()).rstrip("$")


def _all(sequence: Any) -> list[Any]:
    return [sequence.apply(place) for place in range(sequence.size())]
