"""Pipelines: what it costs to find out that nothing has to be done.

    scripts/bench pipelines [--only NAME ...]

SPARKML_BENCH_FLOWS (200) makes it smaller. The plan is made by the command in a process of its own, thrice; medians are
printed, also of its processor seconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pyarrow as pa
from rows import Row, main

from sparkml_track.pipelines import Pipeline
from sparkml_track.pipelines.planning.marks import application, notes_of
from sparkml_track.pipelines.planning.plan import prepared
from sparkml_track.tables import DeltaTables

FLOWS = int(os.environ.get("SPARKML_BENCH_FLOWS", "200"))
ROUNDS = 3

_FILE = """
from pyspark.sql import functions as F
from sparkml_track import pipelines as dp

def cleaned(rows):
    return rows.where(F.col("v").isNotNull())

@dp.temporary_view
def raw_rows():
    return cleaned(dp.read("raw"))
"""
_FLOW = """
@dp.materialized_view
@dp.expect_or_drop("positive", "v > {number}")
def t{number}():
    rows = dp.read({source!r}).groupBy("v").agg(F.count("*").alias("n"), F.max("v").alias("most"))
    return rows.join(dp.read("raw"), "v").withColumn("x", F.when(F.col("n") > {number}, F.lit(1)).otherwise(F.col("n")))
"""


def plan() -> Row:
    """The command ``pipeline run --plan`` of many flows, before anything was built and after everything was."""
    folder = Path(os.environ["SPARKML_HOME"])
    file = folder / "many.py"
    flows = [_FLOW.format(number=n, source=f"t{n - 1}" if n % 10 else "raw_rows") for n in range(FLOWS)]
    file.write_text(dedent(_FILE) + "".join(flows))
    tables = DeltaTables(folder / "tables")
    tables.write("raw", pa.table({"v": [1, 2]}))
    first = statistics.median(_seconds(file) for _ in range(ROUNDS))
    _build(file, tables)
    again = statistics.median(_seconds(file) for _ in range(ROUNDS))
    return {"flows": FLOWS, "first plan s": first, "plan of nothing s": again, "budget": "2 s each"}


def _seconds(file: Path) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-c", "from sparkml_track.cli.app import main; main()"]
    subprocess.run([*command, "pipeline", "run", str(file), "--plan"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _build(file: Path, tables: DeltaTables) -> None:
    """Writes what an update would, without Spark: a row and what is noted with it."""
    ready = prepared(file.stem, Pipeline(file.stem, [file]).declared(), tables)
    for node in ready.graph.nodes:
        inputs = {name: tables.pin(name).version for name in node.names}
        notes = notes_of(file.stem, node.flow.name, "u", ready.codes[node.flow.name], inputs)
        app = application(file.stem, node.flow.name)
        tables.write(
            node.flow.name, pa.table({"v": [1]}), transaction=(app, 0), before_commit=lambda notes=notes: notes
        )


if __name__ == "__main__":
    main(__doc__, __file__, {"plan": plan}, {})
