"""Writers that are killed, really, at each moment between the first staged file and the end of the commit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from sparkml_track.tables import DeltaTables

NEW = pa.table({"k": ["b", "c"], "v": [20, 30]})
OLD = [("a", 1), ("b", 2)]
#: What each operation calls, and what the table holds once it is done.
OPERATIONS = {
    "append": ('tables.write("t", NEW, mode="append")', [*OLD, ("b", 20), ("c", 30)]),
    "evolve": (
        'tables.write("t", NEW.append_column("w", pa.array([1, 2])), mode="append", evolve=True)',
        [*OLD, ("b", 20), ("c", 30)],
    ),
    "overwrite": ('tables.write("t", NEW, mode="overwrite")', [("b", 20), ("c", 30)]),
    "merge": ('tables.merge("t", NEW, keys=["k"])', [("a", 1), ("b", 20), ("c", 30)]),
    "update": ('tables.update("t", "k = \'b\'", {"v": "99"})', [("a", 1), ("b", 99)]),
    "delete": ('tables.delete("t", "k = \'a\'")', [("b", 2)]),
    "optimize": ('tables.optimize("t")', OLD),
    "restore": ('tables.restore("t", 0)', [("a", 1)]),
    "landing": ("land_delete()", [("b", 2)]),
}
#: Functions at whose call, or after which, the writer dies.
MOMENTS = {
    "append": ["files.stage_arrow", "files.staged_files", "log.commit", "after log.commit"],
    "evolve": ["local._write_through", "local.os.link", "after local.os.link"],
    "overwrite": ["files.staged_files", "log.commit", "after log.commit"],
    "merge": ["log.edit", "after log.edit"],
    "update": ["log.edit", "after log.edit"],
    "delete": ["log.edit", "after log.edit"],
    "optimize": ["files.staged_files", "landing._commit", "local.os.link", "after local.os.link"],
    "restore": ["log.restore", "after log.restore"],
    "landing": ["landing._commit", "local._write_through", "local.os.link", "after local.os.link"],
}
WRITER = """
import os, signal, sys
import pyarrow as pa
from sparkml_track.tables import DeltaTables
from sparkml_track.tables._delta import actions, changes, cloning, files, log, member, upkeep
from sparkml_track.tables._delta.locations import local, location_of
from sparkml_track.tables._delta.rewrite import landing
root, operation, moment = sys.argv[1:]
tables = DeltaTables(root)
NEW = pa.table({"k": ["b", "c"], "v": [20, 30]})

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def land_delete():
    path = location_of(root) / "t"
    def compute(found):
        gone = [entry for entry in actions.entries(found, path) if entry.lowest["k"] == "a"]
        return landing.Plan(actions.Change("DELETE", removes=gone), lambda add: True)
    landing.land(path, "deleting", None, compute)

after, name = moment.startswith("after "), moment.removeprefix("after ")
*owners, last = name.split(".")
owner = globals()[owners[0]]
for part in owners[1:]:
    owner = getattr(owner, part)
real = getattr(owner, last)

def then_die(*args, **kwargs):
    real(*args, **kwargs)
    die()

setattr(owner, last, then_die if after else die)
exec(operation)
"""


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    tables = DeltaTables(tmp_path)
    tables.write("t", pa.table({"k": ["a"], "v": [1]}))
    tables.write("t", pa.table({"k": ["b"], "v": [2]}), mode="append")
    return tables


def pairs(rows: pa.Table) -> list[tuple[str, int]]:
    return sorted((row["k"], row["v"]) for row in rows.to_pylist())


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_readers_see_the_old_or_the_new_version_and_vacuum_takes_the_rest(
    tables: DeltaTables, tmp_path: Path, name: str
) -> None:
    operation, done = OPERATIONS[name]
    for moment in MOMENTS[name]:
        before = tables.latest("t").version
        tables.restore("t", 1)
        start = tables.latest("t").version
        killed = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), operation, moment], check=False)
        assert killed.returncode == -signal.SIGKILL, (name, moment)
        latest = tables.latest("t").version
        committed = moment.startswith("after ")
        assert latest - start == (1 if committed else 0), (name, moment, before)
        assert pairs(tables.to_arrow("t")) == (done if committed else OLD), (name, moment)
        assert pairs(deltalake.DeltaTable(tmp_path / "t").to_pyarrow_table()) == pairs(tables.to_arrow("t"))
        tables.write("t", pa.table({"k": ["z"], "v": [0]}), mode="append", evolve=True)
        assert ("z", 0) in pairs(tables.to_arrow("t"))
    tables.write("t", pa.table({"k": ["end"], "v": [0]}), mode="overwrite")
    tables.vacuum("t", timedelta(0))
    left = {str(path.relative_to(tmp_path / "t")) for path in (tmp_path / "t").rglob("*") if path.is_file()}
    kept = {path for path in left if not path.startswith("_delta_log/")}
    assert kept == {str(Path(path).relative_to(tmp_path / "t")) for path in tables.files("t")}
    assert [path for path in left if "_commit_" in path] == []
    for commit in (tmp_path / "t" / "_delta_log").glob("*.json"):
        assert [json.loads(line) for line in commit.read_text().splitlines()]


@pytest.mark.slow
def test_a_clone_is_there_whole_or_not_at_all(tables: DeltaTables, tmp_path: Path) -> None:
    for moment in ("local.os.link", "cloning.begin", "local._write_through", "after cloning.begin"):
        assert not tables.exists("c"), moment
        words = [str(tmp_path), 'tables.clone("t", "c")', moment]
        assert subprocess.run([sys.executable, "-c", WRITER, *words], check=False).returncode == -signal.SIGKILL
    assert pairs(tables.to_arrow("c")) == OLD
    tables.vacuum("c", timedelta(0))
    left = {str(path) for path in (tmp_path / "c").rglob("*") if path.is_file() and "_delta_log" not in path.parts}
    assert left == set(tables.files("c"))
    assert not list((tmp_path / "c" / "_delta_log").glob("_commit_*"))
