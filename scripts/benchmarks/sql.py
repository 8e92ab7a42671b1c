"""SQL through the catalog beside DuckDB on the bare Parquet files of the same version.

    scripts/bench sql [--only NAME ...]

Ours parses the query, pins the tables, confines DuckDB to their files, records the query and keeps the answer; the
other side is a connection that is open already. Both take turns in rounds, with another constant in each, so that no
answer comes from the cache but in the row `cached`. Medians of wall seconds are printed; `cpu` is the ratio of CPU
seconds, `more_cpu_ms` what ours takes more of them: in the row `small` that is the fixed cost of a query, in the row
`rows` the cost of keeping a large answer.
The row `lineage` asks 100,000 edges what one thing was made from.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from rows import Row, main

from sparkml_track.catalog import Catalog
from sparkml_track.catalog.lineage.graph import Recorded
from sparkml_track.catalog.system.schemas import SCHEMAS
from sparkml_track.home import Home

ROUNDS = 9
FILES = 8
#: Name to query; {table} is the view or the files, {n} another number in each round.
QUERIES = {
    "small": ("SELECT count(*) AS n FROM {table} WHERE id = {n}", 1_000),
    "filter": ("SELECT count(*) AS n, sum(delay) AS s FROM {table} WHERE carrier = 'C{n}'", 8_000_000),
    "group": ("SELECT carrier, avg(delay + {n}) AS d FROM {table} GROUP BY carrier ORDER BY d", 8_000_000),
    "second": ("SELECT carrier, median(delay + {n}) AS d FROM {table} GROUP BY carrier ORDER BY d", 4_000_000),
    "rows": ("SELECT id, delay + {n} AS d FROM {table} WHERE id < 500000", 8_000_000),
}


def made(rows: int) -> tuple[Catalog, tuple[str, ...]]:
    """A table of so many rows in some files."""
    catalog = Catalog(Home.find().make())
    random = np.random.default_rng(1)
    for number in range(FILES):
        size = rows // FILES
        part = {
            "id": np.arange(number * size, (number + 1) * size),
            "carrier": [f"C{carrier}" for carrier in random.integers(0, 16, size)],
            "delay": random.normal(size=size),
        }
        catalog.tables.write("air.flights", pa.table(part), mode="append")
    return catalog, catalog.tables.files("air.flights")


def beside(query: str, rows: int, constant: Callable[[int], int]) -> Row:
    """Ours and bare DuckDB, in turn."""
    catalog, files = made(rows)
    bare = duckdb.connect()
    listed = ", ".join(f"'{path}'" for path in files)
    ours, theirs = list[tuple[float, float]](), list[tuple[float, float]]()
    catalog.sql(query.format(table="air.flights", n=0))
    for number in range(1, ROUNDS + 1):
        n = constant(number)
        text = query.format(table=f"read_parquet([{listed}])", n=n)
        theirs.append(timed(lambda text=text: bare.execute(text).to_arrow_table()))  # type: ignore[misc]
        ours.append(timed(lambda n=n: catalog.sql(query.format(table="air.flights", n=n))))  # type: ignore[misc]
    wall = [statistics.median(each[0] for each in side) for side in (ours, theirs)]
    cpu = [statistics.median(each[1] for each in side) for side in (ours, theirs)]
    return {
        "ours_s": wall[0],
        "duckdb_s": wall[1],
        "ratio": wall[0] / wall[1],
        "cpu": cpu[0] / cpu[1],
        "more_cpu_ms": 1000 * (cpu[0] - cpu[1]),
    }


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    what()
    return time.perf_counter() - wall, time.process_time() - cpu


def row_of(name: str) -> Callable[[], Row]:
    """The row of a query."""
    query, rows = QUERIES[name]
    return lambda: beside(query, rows, lambda number: number)


def cached() -> Row:
    """The same question again and again."""
    query, rows = QUERIES["group"]
    return beside(query, rows, lambda _: 0)


def lineage() -> Row:
    """All that leads to one of 100,000 edges' ends: a thousand edges, and every one of them."""
    edges, tables = 100_000, 100
    places = np.arange(edges)
    start = np.datetime64("2026-01-01T00:00:00", "us")
    text = {name: ["x"] * edges for name in ("id", "entity_type", "entity_id", "created_by", "code")}
    kinds = {f"{side}_type": ["TABLE"] * edges for side in ("source", "target")}
    names = {f"{side}_full_name": [f"main.s.t{(place + step) % tables}" for place in range(edges)]
             for side, step in (("source", 0), ("target", 1))}  # fmt: skip
    versions = {"source_version": places // tables, "target_version": (places + 1) // tables}
    columns = text | kinds | names | versions | {"event_time": start + places, "entity_run_id": ["0" * 32] * edges}
    schema = SCHEMAS["lineage"]
    catalog = Catalog(Home.find().make())
    arrays = [pa.array(columns[one.name]).cast(one.type) for one in schema]
    catalog.tables.write("system.lineage", pa.table(arrays, schema=schema), mode="overwrite")

    def ask(version: int) -> tuple[float, float]:
        def asked() -> None:
            recorded = Recorded(catalog.system.rows("lineage"))
            recorded.around(recorded.named("s.t50", version), "up")

        return timed(asked)

    part, whole = ask(10), ask(edges // tables - 1)
    return {"part_s": part[0], "part_cpu_s": part[1], "all_s": whole[0], "all_cpu_s": whole[1]}


ROWS: dict[str, Callable[[], Row]] = {name: row_of(name) for name in QUERIES} | {"cached": cached, "lineage": lineage}

if __name__ == "__main__":
    main(__doc__, str(Path(__file__)), ROWS, {})
