"""Files of this machine are read by Arrow alone: threads that need Python at the end of a process abort it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.tables import DeltaTables

ODD = ["a b", "ü/x", "100%", "a%20b", "x=1:2", None, "ok#?", "é+&"]


@pytest.mark.parametrize("partition_by", [(), ("k",)])
def test_files_of_this_machine_are_read_without_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partition_by: tuple[str, ...]
) -> None:
    def handler(*_: object) -> None:
        raise AssertionError("delta-rs's own file system, which is of Python")

    monkeypatch.setattr("deltalake.fs.DeltaStorageHandler.from_table", handler)
    tables = DeltaTables(tmp_path / "a b ü")
    rows = pa.table({"k": ODD, "v": list(range(len(ODD)))})
    tables.write("air.odd", rows, partition_by=partition_by)
    assert tables.to_arrow("air.odd").sort_by("v").select(["k", "v"]).to_pydict() == rows.to_pydict()
