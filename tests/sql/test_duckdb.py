from __future__ import annotations

import gc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.errors import InvalidInput, QueryError
from sparkml_track.sql import Engine, Mention, Query, View, open_engine
from sparkml_track.sql._duckdb.engine import DuckdbEngine
from sparkml_track.testing.sql import EnginesCase


class TestDuckdb(EnginesCase):
    @pytest.fixture
    def engine(self) -> Engine:
        return open_engine("duckdb")


def test_a_connection_stays_for_the_same_views_alone(tmp_path: Path) -> None:
    for name in "ab":
        pq.write_table(pa.table({"v": [name]}), tmp_path / f"{name}.parquet")
    views = {Mention((name,)): View(name, {"v": "string"}, (str(tmp_path / f"{name}.parquet"),)) for name in "ab"}
    a, b = views
    engine = DuckdbEngine()
    assert engine.run(Query("SELECT v FROM a"), {a: views[a]}).rows.to_pylist() == [{"v": "a"}]
    first = engine._kept
    assert first is not None
    assert engine.run(Query("SELECT upper(v) AS v FROM a"), {a: views[a]}).rows.to_pylist() == [{"v": "A"}]
    assert engine._kept is first
    assert engine.run(Query("SELECT v FROM b"), {b: views[b]}).rows.to_pylist() == [{"v": "b"}]
    assert engine._kept is not first and not first.close.alive
    for text, kind in (("SELECT v::INT FROM b", QueryError), ("SELECT nosuch FROM b", InvalidInput)):
        with pytest.raises(kind):
            engine.run(Query(text), {b: views[b]})
        assert engine._kept is None
    assert engine.run(Query("SELECT v FROM b"), {b: views[b]}).rows.num_rows == 1
    kept = engine._kept
    assert kept is not None
    close = kept.close
    del engine, kept, first
    gc.collect()
    assert not close.alive
