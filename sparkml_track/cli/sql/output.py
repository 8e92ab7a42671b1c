"""Rows for a person or a program: a table, CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.console import print_table
from sparkml_track.errors import InvalidInput, SetupError
from sparkml_track.readable import short_text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "format_of", "show", "write"]

_WIDEST = 200


def format_of(name: str | None, output: Path | None) -> str:
    """The format that is asked for, else that of the file's end, else a table.

    Raises:
        InvalidInput: there is none of this name.
    """
    if name is None:
        end = output.suffix.lstrip(".").lower() if output else ""
        name = end if end in FORMATS else "table"
    if name not in FORMATS:
        raise InvalidInput(f"there is no format {name!r}; allowed are {', '.join(FORMATS)}")
    if name == "parquet" and output is None:
        raise InvalidInput("Parquet is not for terminals; name a file with --output")
    return name


def show(rows: pa.Table) -> None:
    """Prints rows as a table."""
    table = Table(*(escape(name) for name in rows.column_names), box=None)
    for row in _plain_rows(rows):
        table.add_row(*(escape(short_text(_cell(value), _WIDEST)) for value in row))
    print_table(table)


def write(rows: pa.Table, name: str, output: Path | None) -> None:
    """Writes rows in a format to a file, else to the standard output.

    Raises:
        SetupError: the file cannot be written.
    """
    if name == "table" and output is None:
        show(rows)
        return
    try:
        if name == "parquet":
            assert output is not None
            _write_parquet(rows, output)
            return
        text = _WRITERS[name](rows)
        if output is None:
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            output.write_text(text, "utf-8")
    except BrokenPipeError:  # as `| head` does
        with suppress(OSError):
            sys.stdout.close()
    except OSError as error:
        raise SetupError(f"{output or 'the output'} cannot be written: {error.strerror or error}") from None


def _write_parquet(rows: pa.Table, output: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows, output, compression="zstd")


def _csv(rows: pa.Table) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.column_names)
    writer.writerows(["" if value is None else _cell(value) for value in row] for row in _plain_rows(rows))
    return text.getvalue()


def _json(rows: pa.Table) -> str:
    lines = ",\n".join(
        json.dumps(dict(zip(rows.column_names, row, strict=True)), ensure_ascii=False) for row in _plain_rows(rows)
    )
    return f"[{lines}]\n"


def _text(rows: pa.Table) -> str:
    return "".join("\t".join(map(_cell, row)) + "\n" for row in [rows.column_names, *_plain_rows(rows)])


def _plain_rows(rows: pa.Table) -> list[tuple[object, ...]]:
    columns = [[_plain(value) for value in column.to_pylist()] for column in rows.columns]
    return list(zip(*columns, strict=True))


def _plain(value: object) -> object:
    """A value that JSON has; what has no other form there is text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return str(value) if isinstance(value, Decimal | date | time | timedelta) or not _known(value) else value


def _known(value: object) -> bool:
    return value is None or isinstance(value, str | int | bool)


def _cell(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


_WRITERS: dict[str, Callable[[pa.Table], str]] = {"csv": _csv, "json": _json, "table": _text}
FORMATS = ("table", "csv", "json", "parquet")
