"""Runs the rows of a benchmark, each in a process of its own, and prints them as JSON and as a table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

__all__ = ["Row", "main", "show"]

Row = dict[str, object]


def main(
    about: str | None, file: str, rows: Mapping[str, Callable[[], Row]], peers: Mapping[str, Callable[[], Row]]
) -> None:
    """Runs each row in a new process, prints JSON lines, then the table.

    Args:
        about: what ``--help`` says.
        file: of the benchmark.
        rows: by name; "budget" of a row is printed beside its figures.
        peers: the same for ``--peers``.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--row")
    options = parser.parse_args()
    if options.row:
        print("RESULT " + json.dumps({**rows, **peers}[options.row]()))
        return
    names = options.only or [*rows, *(peers if options.peers else ())]
    found = {name: _in_new_process(file, name) for name in names}
    show(found)


def show(found: Mapping[str, Row]) -> None:
    """Prints rows by name as a table."""
    print()
    width = max(map(len, found))
    for name, row in found.items():
        budget = row.pop("budget", "")
        shown = ", ".join(f"{key} {_short(value)}" for key, value in row.items())
        print(f"{name:<{width}}  {shown}{f'   [{budget}]' if budget else ''}")


def _in_new_process(file: str, name: str) -> Row:
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "SPARKML_HOME": home, "PYSPARK_PYTHON": sys.executable}
        command = [sys.executable, file, "--row", name]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)
    results = [line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    row: Row = json.loads(results[0]) if results else {"failed": done.stderr.strip().splitlines()[-1:]}
    print(json.dumps({"row": name, **row}), flush=True)
    return row


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
