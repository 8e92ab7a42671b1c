"""The groups door without Spark: what comes of each group, the table, going on, and what is refused."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import sparkml_track as st
from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.errors import DataError, LeaseHeld, ObjectiveError, SpecError, TableError
from sparkml_track.executors._shipping.by_value import by_value
from sparkml_track.executors._shipping.script import dumps_work
from sparkml_track.frontdoors._groups import staging, worker
from sparkml_track.frontdoors._groups.fitted import SmallSweep
from sparkml_track.frontdoors._groups.folders import held, new_rows_folder
from sparkml_track.frontdoors._groups.objective import Limit, TrainGroup
from sparkml_track.frontdoors._groups.table import ResultTable
from sparkml_track.frontdoors.groups import GroupModels, load_model, predict_groups, train_groups
from sparkml_track.tables import DeltaTables
from sparkml_track.trackers import open_tracker

pytestmark = pytest.mark.slow

MEMORY = st.Tracking(uri="memory:")


class Mean:
    def __init__(self, mean: float, size: int = 0) -> None:
        self.mean, self.ballast = mean, b"x" * size


def mean(pdf: pd.DataFrame) -> tuple[Mean, dict[str, float]]:
    return Mean(pdf.y.mean()), {"mean": pdf.y.mean()}


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    return home


@pytest.fixture
def rows() -> pd.DataFrame:
    """Groups a, b, c of 1, 2 and 3 rows, mixed."""
    return pd.DataFrame({"g": list("cbcabc"), "y": [1.0, 10.0, 2.0, 100.0, 20.0, 3.0]})


def trained(data: Any, keys: Any = "g", fn: Any = mean, **more: Any) -> GroupModels:
    return train_groups(data, keys, fn, **{"executor": "inline", "tracking": MEMORY, "progress": False, **more})


def by_key(models: GroupModels, column: str) -> dict[Any, Any]:
    frame = models.to_pandas()
    return dict(zip(frame[models.keys[0]], frame[column], strict=True))


# -- what comes of the groups


def test_each_group_has_a_model_and_a_row_the_largest_first(rows: pd.DataFrame) -> None:
    models = trained(rows, seed=1)
    frame = models.to_pandas()
    assert list(frame.g) == ["c", "b", "a"]
    assert list(frame.rows) == [3, 2, 1]
    assert set(frame.status) == {"finished"}
    assert [load_model(models, key).mean for key in "abc"] == [100.0, 15.0, 2.0]
    assert [trial.params for trial in models.sweep_result.trials] == [{"g": "c"}, {"g": "b"}, {"g": "a"}]
    assert (models.counts.finished, models.table.name, models.table.version) == (3, "mean", 0)


def test_the_rows_of_a_group_keep_their_order_and_columns(rows: pd.DataFrame) -> None:
    def seen(pdf: pd.DataFrame) -> tuple[list[Any], dict[str, float]]:
        return [list(pdf.columns), list(pdf.g.unique()), list(pdf.y)], {}

    assert load_model(trained(rows, fn=seen), "c") == [["g", "y"], ["c"], [1.0, 2.0, 3.0]]


def test_a_child_run_has_the_keys_as_params_the_metrics_and_the_error(rows: pd.DataFrame, home: Path) -> None:
    def fit(pdf: pd.DataFrame) -> dict[str, float]:
        if pdf.g.iloc[0] == "b":
            raise ValueError("b is bad")
        return {"total": pdf.y.sum()}

    models = trained(rows, fn=fit, tracking=st.Tracking())
    tracker = open_tracker(None, home)
    children = {child.params["g"]: child for child in tracker.children(models.run_id)}
    tracker.close()
    assert {key: child.status for key, child in children.items()} == {"a": "FINISHED", "b": "FAILED", "c": "FINISHED"}
    assert children["c"].metrics == {"total": 6.0, "rows": 3.0}
    assert "ValueError: b is bad" in children["b"].message
    assert "ValueError: b is bad" in by_key(models, "error")["b"]
    assert (models.counts.finished, models.counts.failed) == (2, 1)
    with pytest.raises(DataError, match=r"group g='b' has no model .* failed: ValueError: b is bad"):
        load_model(models, "b")
    with pytest.raises(DataError, match=r"group g='a' has no model .* fn returned metrics alone"):
        load_model(models, "a")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "fn returned None; allowed is a model, (model, metrics), or a mapping of metrics"),
        ("text", "fn returned 'text' (str)"),
        (1.5, "fn returned '1.5' (float)"),
        ((1, 2), "fn returned '(1, 2)' (tuple)"),
        ({"coef": [1.0]}, "whose 'coef' is a list; a mapping is metrics"),
        ((object(), {"loss": "low"}), "loss"),
        ((i for i in ()), "the model is a generator that cannot be pickled"),
    ],
)
def test_rubbish_fails_its_group_alone_and_says_what_is_allowed(
    rows: pd.DataFrame, returned: Any, message: str
) -> None:
    Rubbish.value = returned
    models = trained(rows, fn=Rubbish.fit)
    assert by_key(models, "status") == {"a": "finished", "b": "failed", "c": "finished"}
    assert message in by_key(models, "error")["b"]


class Rubbish:
    value: Any = None

    @staticmethod
    def fit(pdf: pd.DataFrame) -> Any:
        return {"n": 1.0} if pdf.g.iloc[0] != "b" else Rubbish.value


def test_a_group_that_crashes_or_hangs_fails_alone(rows: pd.DataFrame) -> None:
    def fit(pdf: pd.DataFrame) -> Any:
        if pdf.g.iloc[0] == "a":
            os._exit(3)
        if pdf.g.iloc[0] == "b":
            os.kill(os.getpid(), signal.SIGSEGV)
        while pdf.g.iloc[0] == "c":
            time.sleep(1)
        return {"n": 1.0}

    more = pd.DataFrame({"g": list("defghi"), "y": 1.0})
    models = trained(pd.concat([rows, more]), fn=fit, executor="processes", parallelism=2, timeout=1)
    assert [by_key(models, "reason")[key] for key in "abc"] == ["exit", "signal", "timeout"]
    assert by_key(models, "status") == {
        **dict.fromkeys("abc", "failed"),
        "c": "killed",
        **dict.fromkeys("defghi", "finished"),
    }


def test_a_group_over_max_rows_is_refused_or_sampled(rows: pd.DataFrame) -> None:
    refused = trained(rows, max_rows=2)
    assert by_key(refused, "status") == {"a": "finished", "b": "finished", "c": "failed"}
    assert "group g='c' has 3 rows; max_rows is 2: raise it, or take oversize='sample'" in by_key(refused, "error")["c"]
    first, second = (trained(rows, max_rows=2, oversize="sample", seed=3, resume="never") for _ in range(2))
    assert dict(by_key(first, "metrics")["c"])["rows"] == 2.0
    assert by_key(first, "rows")["c"] == 3
    assert load_model(first, "c").mean == load_model(second, "c").mean in (1.5, 2.0, 2.5)


def test_a_small_sweep_keeps_the_best_point_of_each_group(rows: pd.DataFrame) -> None:
    def fit(pdf: pd.DataFrame, params: dict[str, float]) -> tuple[Mean, dict[str, float]]:
        if params["at"] > 90:
            raise ValueError("too far")
        pdf["y"] -= params["at"]
        return Mean(params["at"]), {"loss": abs(pdf.y.mean())}

    more = {"fn": fit, "space": {"at": st.choice(0, 2, 15, 100)}, "sampler": "grid", "metric": "loss"}
    models = trained(rows, **more)
    assert [load_model(models, key).mean for key in "abc"] == [15, 15, 2]
    assert by_key(models, "params") == {"a": '{"at": 15}', "b": '{"at": 15}', "c": '{"at": 2}'}
    assert dict(by_key(models, "metrics")["c"])["points_failed"] == 1.0
    assert models.sweep_result.best is not None
    assert models.sweep_result.best.value == 0.0
    most = trained(rows, **{**more, "direction": "maximize"})
    assert [load_model(most, key).mean for key in "abc"] == [0, 0, 15]


def test_large_models_are_files_and_small_ones_in_the_table(rows: pd.DataFrame, home: Path) -> None:
    def fit(pdf: pd.DataFrame) -> Mean:
        return Mean(pdf.y.mean(), size=100_000 if pdf.g.iloc[0] == "c" else 0)

    models = trained(rows, fn=fit)
    paths = by_key(models, "model_path")
    assert (paths["a"], paths["b"]) == (None, None)
    assert Path(paths["c"]).is_relative_to(home / "groups" / "models")
    assert load_model(models, "c").mean == 2.0
    assert [path.name for path in (home / "groups").iterdir()] == ["models"]


def test_groups_that_span_several_batches_are_whole() -> None:
    frame = pd.DataFrame({"g": [n % 7 for n in range(50_000)], "y": range(50_000)})
    models = trained(frame, fn=lambda pdf: {"n": len(pdf), "low": pdf.y.min(), "total": pdf.y.sum()})
    for key, metrics in by_key(models, "metrics").items():
        assert dict(metrics)["total"] == sum(range(key, 50_000, 7))


# -- keys


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([3, None, -1], pa.int32()),
        (["", "ö / 1", None], pa.string()),
        ([True, False, None], pa.bool_()),
        ([datetime.date(2026, 1, 2), None, datetime.date(1, 1, 1)], pa.date32()),
        ([Decimal("1.50"), None, Decimal("-2.00")], pa.decimal128(10, 2)),
        ([datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC), None], pa.timestamp("us", "UTC")),
        (["x", "y", "x"], pa.dictionary(pa.int32(), pa.string())),
    ],
)
def test_keys_of_all_kinds_keep_their_types_and_null_is_a_group(values: list[Any], kind: pa.DataType) -> None:
    table = pa.table({"key": pa.array(values * 3, kind), "y": [1.0] * len(values) * 3})
    models = trained(table, "key", lambda pdf: (Counter(pdf.y), {"n": len(pdf)}))
    back = DeltaTables(Path(models.table.path).parent).to_arrow(models.table, ["key"])
    assert back["key"].type == getattr(kind, "value_type", kind)
    assert set(back["key"].to_pylist()) == set(values)
    for value in values:
        assert load_model(models, value) == {1.0: 3 * values.count(value)}


def test_several_keys_name_a_group_together() -> None:
    frame = pd.DataFrame({"a": [1, 1, 2, 2], "b": ["x", "y", "x", "x"], "y": [1.0, 2.0, 3.0, 5.0]})
    models = trained(frame, ["b", "a"])
    assert models.keys == ("b", "a")
    assert load_model(models, ("x", 2)).mean == load_model(models, {"a": 2, "b": "x"}).mean == 4.0
    with pytest.raises(SpecError, match="key is 'x'; allowed is one value for each of b, a"):
        load_model(models, "x")
    with pytest.raises(DataError, match="has no group b='z', a=1; it has 3 groups, by b, a"):
        load_model(models, ("z", 1))


# -- the table, going on


def test_each_training_is_a_version_and_a_table_of_something_else_is_not_touched(
    rows: pd.DataFrame, tmp_path: Path
) -> None:
    first, second = (trained(rows, table=tmp_path / "lake" / "means") for _ in range(2))
    assert [models.table.version for models in (first, second)] == [0, 1]
    assert load_model(str(tmp_path / "lake" / "means"), "a").mean == 100.0
    DeltaTables(tmp_path / "lake").write("sales", pa.table({"day": [1]}))
    with pytest.raises(TableError, match=r"table sales .* is not one of group models"):
        trained(rows, table=tmp_path / "lake" / "sales")
    with pytest.raises(TableError, match="cannot name a table"):
        trained(rows, table="no table")


def test_what_ended_before_its_table_was_written_is_not_trained_again(
    rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"

    def fit(pdf: pd.DataFrame) -> Mean:
        with log.open("a") as file:
            file.write(f"{pdf.g.iloc[0]}\n")
        return Mean(pdf.y.mean())

    def full(*_: object) -> None:
        raise TableError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(ResultTable, "write", full)
        with pytest.raises(TableError, match="the disk is full"):
            trained(rows, fn=fit)
    again = trained(rows, fn=fit)
    assert sorted(log.read_text().split()) == ["a", "b", "c"]
    assert load_model(again, "c").mean == 2.0
    trained(rows, fn=fit)
    assert len(log.read_text().split()) == 6


def test_a_training_whose_models_are_gone_is_not_gone_on_with(
    rows: pd.DataFrame, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("sparkml_track.engine.loop.loop.Loop.abandon", stop)
        patched.setattr("sparkml_track.engine.loop.loop.Loop._turn", stop)
        with pytest.raises(KeyboardInterrupt):
            trained(rows)
    assert trained(rows, resume="never").counts.finished == 3
    assert not list((home / "groups").iterdir())
    again = trained(rows)
    assert (again.counts.finished, again.table.version) == (3, 1)


SCRIPT = """
import os, sys, time
import pandas as pd
import sparkml_track as st
from sparkml_track.frontdoors.groups import load_model, train_groups

LOG = sys.argv[1]

def fit(pdf):
    time.sleep(0.02)
    with open(LOG, "a") as file:
        file.write(f"{pdf.g.iloc[0]}\\n")
    return Total(int(pdf.y.sum()))

class Total:
    def __init__(self, total):
        self.total = total

rows = pd.DataFrame({"g": [n % 60 for n in range(600)], "y": range(600)})
models = train_groups(rows, "g", fit, executor="processes", parallelism=2, progress=False)
assert all(load_model(models, key).total == sum(range(key, 600, 60)) for key in range(0, 60, 7))
print("RESULT", models.counts.finished, models.table.version)
"""


def test_after_kill_9_of_the_driver_the_same_call_goes_on(tmp_path: Path, home: Path) -> None:
    script, log = tmp_path / "train.py", tmp_path / "log"
    script.write_text(SCRIPT)
    log.touch()
    command = [sys.executable, str(script), str(log)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(log.read_text().split()) < 20 and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    first.kill()
    first.wait()
    assert len(list((home / "groups").glob("rows-*"))) == 1
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "RESULT 60 0" in done.stdout, done.stderr[-3000:]
    counts = Counter(log.read_text().split())
    assert len(counts) == 60
    # Those that ran when it was killed, and those whose ends it had not read.
    assert sum(counts.values()) - 60 <= 8
    assert not list((home / "groups").iterdir())


def test_the_rows_of_a_dead_driver_go_and_those_of_a_live_one_stay(tmp_path: Path) -> None:
    (tmp_path / "rows-dead").mkdir()
    (tmp_path / "rows-dead" / "lock").touch()
    with new_rows_folder(tmp_path) as live, new_rows_folder(tmp_path) as other:
        assert {path.name for path in tmp_path.glob("rows-*")} == {live.name, other.name}
    assert not list(tmp_path.glob("rows-*"))


def test_a_second_driver_of_the_same_groups_is_refused(
    rows: pd.DataFrame, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise TableError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(ResultTable, "write", full)
        with pytest.raises(TableError, match="the disk is full"):
            trained(rows)
    (work,) = (home / "groups").glob("mean-*")
    with held(work, ""), pytest.raises(LeaseHeld, match="these groups are trained under the name 'mean' right now"):
        trained(rows)


# -- what is refused


def test_all_problems_are_reported_at_once_and_nothing_starts(rows: pd.DataFrame, home: Path) -> None:
    with pytest.raises(SpecError) as caught:
        trained(
            rows.assign(z=0.5), ["G", "g", "g", "z"], lambda: None, max_rows=0, oversize="drop", timeout=-1,
            n_trials=3, executor="driver", seed=-1,
        )  # fmt: skip
    text = str(caught.value)
    for problem in (
        "key 'G' is not a column; there are: g, y, z; did you mean 'g'?",
        "key 'g' is given twice (case does not count)",
        "key 'z' has a type that cannot name groups",
        "fn cannot be called as fn(pdf)",
        "max_rows is 0",
        "oversize is 'drop'; allowed are 'refuse', 'sample'",
        "timeout is -1",
        "n_trials is given without space",
        "executor is 'driver'",
        "seed is -1",
    ):
        assert problem in text
    assert not (home / "groups").exists()


@pytest.mark.parametrize(
    ("frame", "keys", "message"),
    [
        ([1, 2], "g", "the data is a list; allowed is a data frame of Spark or pandas"),
        (pd.DataFrame({"model": [1]}), "model", "key 'model' is the name of a column of the table of results"),
        (pd.DataFrame({"a b": [1]}), "a b", "key 'a b' cannot be a column of a Delta table"),
        (pd.DataFrame([[1, 2]], columns=["g", "g"]), "g", "has the column 'g' twice"),
        (pd.DataFrame({"g": [1], "__sparkml_x": [1]}), "g", "column '__sparkml_x' begins with '__sparkml_'"),
        (pd.DataFrame({"g": [1]}), [], "keys is empty"),
    ],
)
def test_wrong_data_and_keys_are_refused(frame: Any, keys: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        trained(frame, keys)


def test_object_stores_are_refused_by_name(rows: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match="storage is 's3://bucket/groups'; allowed is a folder"):
        trained(rows, storage="s3://bucket/groups")
    with pytest.raises(SpecError, match="table is 's3://bucket/means'; allowed is a name, or the path of a folder"):
        trained(rows, table="s3://bucket/means")


def test_a_table_alone_has_no_child_runs(rows: pd.DataFrame, home: Path) -> None:
    models = trained(rows, tracking=st.Tracking(child_runs="none"))
    tracker = open_tracker(None, home)
    assert not list(tracker.children(models.run_id))
    tracker.close()
    assert load_model(models, "c").mean == 2.0


def test_no_rows_and_what_cannot_be_sent_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="the data frame has no rows"):
        trained(rows.head(0).astype({"g": "string"}))
    generator = (i for i in ())

    def fit(pdf: pd.DataFrame) -> Any:
        return generator

    with pytest.raises(ObjectiveError, match=r"fn .*fit.* cannot be sent to slots: TypeError"):
        trained(rows, fn=fit)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"space": {"a": st.uniform(0, 1)}, "n_trials": 2}, "space needs metric="),
        ({"space": {"a": st.uniform(0, 1)}, "metric": "m"}, "n_trials is None"),
        ({"space": {"a": st.uniform(0, 1)}, "metric": "m", "n_trials": 2, "sampler": "tpe"}, "waits for results"),
        ({"oversize": "sample"}, "needs max_rows"),
    ],
)
def test_a_small_sweep_that_cannot_be_is_refused(rows: pd.DataFrame, more: dict[str, Any], message: str) -> None:
    fn = (lambda pdf, params: {}) if "space" in more else mean
    with pytest.raises(SpecError, match=message):
        trained(rows, fn=fn, **more)


def test_rows_that_the_driver_does_not_see_are_refused(tmp_path: Path) -> None:
    index = pa.table({"__sparkml_file": [str(tmp_path / "away.arrow")]})
    with pytest.raises(DataError, match="does not see them: it is not on shared storage; give storage="):
        staging._check_seen(index, tmp_path)


ALONE = """
import pickle, sys
sys.modules["sparkml_track"] = None
print("RESULT", [pickle.loads(bytes.fromhex(line)) is not None for line in sys.stdin.read().split()])
"""


def test_what_goes_to_slots_and_to_workers_of_spark_needs_nothing_of_ours(rows: pd.DataFrame, tmp_path: Path) -> None:
    from pyspark import cloudpickle as sparks

    groups = staging.stage(rows, ["g"], tmp_path)
    objective = TrainGroup(len, groups.rows, Limit(2), SmallSweep(({"a": 1},), "loss", False), str(tmp_path))
    with by_value(()):
        sent = [dumps_work({"objective": objective})]
    with sent_by_value(worker):
        sent.append(sparks.dumps(partial(worker.write_groups, worker.Writing(("g",), str(tmp_path)))))
        scoring = worker.Scoring(("g",), worker.Predict(None), "out", strict=True)
        sent.append(sparks.dumps(partial(scoring.score, b"")))
    text = "\n".join(data.hex() for data in sent)
    done = subprocess.run([sys.executable, "-c", ALONE], input=text, capture_output=True, text=True, cwd=tmp_path)
    assert "RESULT [True, True, True]" in done.stdout, done.stderr


def test_pandas_rows_are_not_scored(rows: pd.DataFrame) -> None:
    models = trained(rows)
    with pytest.raises(SpecError, match="the data is a DataFrame; allowed is a data frame of Spark"):
        predict_groups(rows, models)  # type: ignore[arg-type]
