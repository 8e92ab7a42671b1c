"""One version of a table is one dataset in MLflow, whoever logs it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import mlflow.data
import pytest
from mlflow import MlflowClient

from sparkml_track import schema
from sparkml_track.adapters.mlflow.datasets import dataset_identity, dataset_inputs, inputs_of, logged_inputs
from sparkml_track.refs import DataRef, TableRef
from sparkml_track.registries import MlflowRegistry, Run
from sparkml_track.testing.trackers import sample_parent
from sparkml_track.trackers import default_uri, open_tracker

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

TABLE = TableRef("flights.training", "/tables/flights/training", 4)
#: As training, scoring and monitoring name and digest one version of a table.
REFS = (
    DataRef("train", "v4-train", 100, TABLE),
    DataRef("valid", "v4-valid", 20, TABLE),
    DataRef("source", "v4", None, TABLE),
    DataRef("training", "flights.training@v4", None, TABLE),
)


def test_the_name_and_digest_a_caller_gives_do_not_make_another_dataset() -> None:
    assert len({dataset_identity(ref) for ref in REFS}) == 1
    assert dataset_identity(REFS[0])[1].startswith("v4-")


@pytest.mark.parametrize("change", [{"name": "other"}, {"path": "/elsewhere/flights/training"}, {"version": 5}])
def test_another_table_or_version_is_another_dataset(change: dict[str, object]) -> None:
    other = replace(TABLE, **change)  # type: ignore[arg-type]
    assert dataset_identity(replace(REFS[0], table=other)) != dataset_identity(REFS[0])


def test_parts_of_one_table_are_one_input_that_names_them() -> None:
    (one,) = dataset_inputs(inputs_of(REFS))
    assert {tag.key: tag.value for tag in one.tags} == {
        "mlflow.data.context": "train, valid, source, training",
        f"{schema.TAG_ROWS}train": "100",
        f"{schema.TAG_ROWS}valid": "20",
    }
    source = mlflow.data.get_source(one.dataset)
    assert (source.path, source.delta_table_version) == (TABLE.path, 4)


def test_data_without_a_table_keeps_its_own_name_digest_and_rows() -> None:
    (one,) = dataset_inputs(inputs_of([DataRef("valid", "e" * 64, 7)]))
    assert (one.dataset.name, one.dataset.digest, one.dataset.profile) == ("valid", "e" * 36, '{"num_rows": 7}')
    assert [tag.value for tag in one.tags] == ["valid", "7"]


def test_trackers_and_registries_leave_one_dataset_and_one_experiment(tmp_path: Path) -> None:
    uri, rows = default_uri(tmp_path), {}
    with closing(open_tracker(None, tmp_path)) as tracker:
        shutil.copy(tmp_path / "mlflow.db", tmp_path / "empty.db")
        sweep, _ = tracker.start(replace(sample_parent(), data=REFS[:2]))
        with closing(MlflowRegistry(uri, str(tmp_path / "artifacts"))) as registry:
            run = registry.record(Run("scoring", "november", "conformance", data=REFS[2:]))
    client = MlflowClient(uri)
    for one in (sweep, run):
        (used,) = client.get_run(one).inputs.dataset_inputs
        rows[one] = (used.dataset.name, used.dataset.digest, used.dataset.source)
    assert rows[sweep] == rows[run]
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as db:
        assert db.execute("SELECT count(*) FROM datasets").fetchone() == (1,)
    # The registry alone, in a store of its own, makes the same experiment.
    first = client.get_experiment_by_name("conformance").artifact_location
    (tmp_path / "empty.db").rename(tmp_path / "other.db")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with closing(MlflowRegistry(other, str(tmp_path / "artifacts"))) as registry:
        registry.record(Run("scoring", "november", "conformance"))
    assert MlflowClient(other).get_experiment_by_name("conformance").artifact_location == first


def test_what_a_trial_logs_is_kept_within_what_the_tables_take() -> None:
    """One odd data set must not keep a batch from the store."""
    odd = {"name": "n\0" * 400, "digest": "d" * 99, "source_type": "s" * 99, "source": "x" * 70_000}
    (one,) = logged_inputs([{**odd, "schema": "", "profile": "p", "tags": {"k" * 300: "v" * 600}}])
    assert (len(one.name), len(one.digest), len(one.source_type), len(one.source)) == (500, 36, 36, 65_535)
    assert "\0" not in one.name and one.schema is None
    assert {len(name): len(value) for name, value in one.tags.items()} == {255: 500}
