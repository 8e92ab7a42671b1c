"""Processes that append, merge, delete and optimise one table at once, against a ledger of what each of them did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml_track.tables import DeltaTables

#: Seconds and processes; the long form is SPARKML_CROWD=120x8.
SECONDS, PROCESSES = (float(part) for part in os.environ.get("SPARKML_CROWD", "3x4").split("x"))
WRITER = """
import json, random, sys, time
import pyarrow as pa
from sparkml_track.errors import TableError
from sparkml_track.tables import DeltaTables

root, me, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
tables, random, mine, done, count = DeltaTables(root), random.Random(me), {}, [], 0
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + seconds
while time.monotonic() < end or not done:
    what = random.choice(["append", "append", "merge", "delete", "optimize"])
    transaction = (f"writer{me}", count)
    try:
        if what == "append":
            new = {f"{me}.{count}.{n}": n for n in range(3)}
            rows = pa.table({"k": list(new), "v": list(new.values())})
            version = tables.write("t", rows, mode="append", transaction=transaction).version
            mine |= new
        elif what == "merge" and mine:
            changed = {key: mine[key] + 1000 for key in random.sample(sorted(mine), min(2, len(mine)))}
            new = changed | {f"{me}.{count}.m": 7}
            rows = pa.table({"k": list(new), "v": list(new.values())})
            version = tables.merge("t", rows, keys=["k"], transaction=transaction).version
            mine |= new
        elif what == "delete" and mine:
            key = random.choice(sorted(mine))
            version = tables.delete("t", f"k = '{key}'", transaction=transaction).version
            del mine[key]
        elif what == "optimize":
            version = tables.optimize("t").version
        else:
            continue
        done.append([what, version])
        count += 1
    except TableError as error:
        # Refused by name, and nothing was written.
        assert "other writer" in str(error), str(error)
print(json.dumps({"rows": mine, "done": done}))
"""


@pytest.mark.slow
def test_no_row_is_lost_or_doubled_and_the_history_is_whole(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    import pyarrow as pa

    tables.write("t", pa.table({"k": ["start"], "v": [-1]}))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number), str(SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(int(PROCESSES))
    ]
    for writer in writers:  # all of them have started before one begins
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    answers = [json.loads(writer.communicate()[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * len(writers)
    ledger = {"start": -1}
    for answer in answers:
        ledger |= answer["rows"]
    found = tables.to_arrow("t").to_pylist()
    assert sorted((row["k"], row["v"]) for row in found) == sorted(ledger.items())
    history = tables.history("t")
    assert [one.version for one in history] == list(range(len(history)))[::-1]
    made = [version for answer in answers for what, version in answer["done"] if what != "optimize"]
    assert len(made) == len(set(made))
    kinds = {one.version: one.operation for one in history}
    expected = {"append": "WRITE", "merge": "MERGE", "delete": "DELETE"}
    assert [
        what for answer in answers for what, at in answer["done"] if kinds[at] != expected.get(what, kinds[at])
    ] == []
