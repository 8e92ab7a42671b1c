"""The trials of a sweep as a file: Parquet, CSV, or JSON as the parent run has it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from sparkml_track.engine.results.summary import Result, trials_table
from sparkml_track.errors import InvalidInput, SetupError

__all__ = ["export"]

_KINDS = (".parquet", ".csv", ".json")


def export(results: Sequence[Result], path: Path) -> int:
    """Writes one row for each trial; its columns are those of ``trials_table``.

    Args:
        results: the trials.
        path: its ending says the format. A column with values of several types becomes text in Parquet.

    Returns:
        How many trials were written.

    Raises:
        InvalidInput: another ending.
        SetupError: the file cannot be written.
    """
    if path.suffix not in _KINDS:
        raise InvalidInput(f"{path.name!r} has the ending {path.suffix!r}; allowed are {', '.join(_KINDS)}")
    text = trials_table(results)
    table = json.loads(text)
    try:
        if path.suffix == ".json":
            path.write_text(text, encoding="utf-8")
        elif path.suffix == ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([table["columns"], *table["data"]])
        else:
            _write_parquet(table["columns"], table["data"], path)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror or error}") from None
    return len(results)


def _write_parquet(columns: Sequence[str], rows: Sequence[Sequence[object]], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    values = {name: _of_one_type([row[at] for row in rows]) for at, name in enumerate(columns)}
    pyarrow.parquet.write_table(pyarrow.table({name: pyarrow.array(one) for name, one in values.items()}), path)


def _of_one_type(values: list[object]) -> list[object]:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and kinds:
        whole = float in kinds or any(isinstance(value, int) and abs(value) >= 2**63 for value in values)
        return [None if value is None else float(value) for value in values] if whole else values  # type: ignore[arg-type]
    if len(kinds) <= 1 and kinds <= {bool, str}:
        return values
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
