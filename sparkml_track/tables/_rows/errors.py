"""What tables say when they refuse, the same words from every member."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import pyarrow as pa
from deltalake.exceptions import DeltaError

from sparkml_track.errors import TableError
from sparkml_track.refs import TableRef


def no_table(name: str, names: Sequence[str], where: str) -> TableError:
    """Nothing of this name is there."""
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names) or 'none yet'}"
    return TableError(f"there is no table {name} in {where}. {hint}")


def dropped_meanwhile(name: str) -> TableError:
    """The table was there when the write began."""
    return TableError(f"table {name} was dropped while this was written; nothing was written. Write it anew")


def no_version(ref: TableRef, last: int | None = None) -> TableError:
    """The version is not there, or no longer."""
    known = "" if last is None else f"; the latest is {last}"
    return TableError(f"table {ref.name} has no version {ref.version}{known} (older ones may have been vacuumed)")


def already_there(name: str) -> TableError:
    """A new table was asked for under a name that is taken."""
    return TableError(f'table {name} is there already: write with mode="append" or mode="overwrite"')


def no_session(name: str) -> TableError:
    """A DataFrame was asked for or given, and there is no session."""
    return TableError(
        f"table {name}: DataFrames need a Spark session, and these tables were opened without one. "
        "Pass spark=..., or use Arrow (to_arrow, or write a pyarrow.Table)"
    )


def no_columns(ref: TableRef, missing: Iterable[str], columns: Iterable[str]) -> TableError:
    """Columns were asked for that the version does not have."""
    return TableError(f"{ref} has no column {', '.join(missing)}; it has {', '.join(columns)}")


def repeated_keys(name: str, keys: Sequence[str], example: object) -> TableError:
    """Versions were to be compared by keys that are not unique."""
    return TableError(
        f"table {name}: rows repeat in ({', '.join(keys)}), for example {example}; versions are compared by keys that "
        "are unique in each"
    )


def no_keys(name: str) -> TableError:
    """Keys were needed and there are none."""
    return TableError(f"table {name} has no keys of its own: name the columns that are unique, keys=[...]")


def unknown_columns(ref: TableRef, unknown: Iterable[str], columns: Iterable[str]) -> TableError:
    """Columns were to be changed or matched that the table does not have."""
    return TableError(f"table {ref.name} has no column {', '.join(unknown)}; it has {', '.join(columns)}")


def other_partitions(name: str, asked: Sequence[str], there: Sequence[str]) -> TableError:
    """A table was to be parted otherwise than it is."""
    return TableError(
        f"table {name} is partitioned by {', '.join(there) or 'nothing'}, not by {', '.join(asked) or 'nothing'}; that "
        "cannot be changed. Write the rows under another name"
    )


def is_foreign(error: Exception) -> bool:
    """Whether delta-rs, Arrow or the file system raised it; delta-rs raises bare ``Exception``, too."""
    return isinstance(error, DeltaError | pa.ArrowException | OSError | ValueError) or type(error) is Exception


def first_line(error: BaseException) -> str:
    """The part of a foreign message that a person reads: its first line, and the cause where the first says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return (f"{lines[0]}: {lines[-1]}" if lines[0].endswith("failed") and len(lines) > 1 else lines[0])[:500]
