"""A new SQLite file is what MLflow itself would have made, also where it is a copy."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from sparkml_track.trackers._mlflow.lanes import empty_file
from sparkml_track.trackers._mlflow.lanes.empty_file import make_empty
from sparkml_track.trackers._mlflow.lanes.tables import schema_head

pytestmark = pytest.mark.slow

_PARTS = {
    "columns": "SELECT * FROM pragma_table_info('{}')",
    "indexes": "SELECT name, \"unique\", origin FROM pragma_index_list('{}') WHERE origin = 'c'",
    "keys": 'SELECT "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(\'{}\')',
    "rows": "SELECT * FROM {}",
}


def all_of(path: Path, root: str) -> list[str]:
    """All columns, indexes and rows, without times; the root by a name. The order of constraints is MLflow's whim."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE experiments SET creation_time = 0, last_update_time = 0")
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        parts = {
            f"{name} {what}": sorted(map(str, db.execute(query.format(name))))
            for name in names
            for what, query in _PARTS.items()
        }
        return [f"{part}: {rows}".replace(root, "<root>") for part, rows in parts.items()]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setattr(empty_file, "user_folder", lambda: str(folder))
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that was made by MLflow's migrations, which take seconds."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(empty_file, "user_folder", lambda: str(folder))
        make_empty("", folder / "copy.db", "/x", schema_head())
    (folder / "copy.db").unlink()
    (kept,) = folder.iterdir()
    return kept


@pytest.fixture
def kept(first: Path, own_folder: Path) -> Path:
    """The same, kept by this test's user."""
    return Path(shutil.copy(first, own_folder))


def by_mlflow(path: Path, root: str, first: Path) -> None:
    """A store whose first experiment MLflow makes; the tables are there."""
    shutil.copy(first, path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM experiments")
        db.commit()
    SqlAlchemyStore(f"sqlite:///{path}", root)


def made(folder: Path) -> Path:
    folder.mkdir()
    make_empty(f"sqlite:///{folder}/mlflow.db", folder / "mlflow.db", f"{folder}/artifacts", schema_head())
    return folder / "mlflow.db"


def test_the_first_and_its_copies_are_what_mlflow_makes(tmp_path: Path, own_folder: Path) -> None:
    (tmp_path / "theirs").mkdir()
    SqlAlchemyStore(f"sqlite:///{tmp_path}/theirs/mlflow.db", f"{tmp_path}/theirs/artifacts")
    wanted = all_of(tmp_path / "theirs" / "mlflow.db", f"{tmp_path}/theirs")
    for name in ("first", "second"):
        assert all_of(made(tmp_path / name), f"{tmp_path}/{name}") == wanted
    assert len(list(own_folder.iterdir())) == 1
    mode = (tmp_path / "second" / "mlflow.db").stat().st_mode & 0o777
    assert mode == (tmp_path / "first" / "mlflow.db").stat().st_mode & 0o777


@pytest.mark.parametrize("root", ["mlflow-artifacts:/", "s3://bucket/", "/a/b"])
@pytest.mark.usefixtures("kept")
def test_the_experiment_that_a_store_is_born_with_keeps_its_artifacts_where_mlflow_would(
    tmp_path: Path, root: str, first: Path
) -> None:
    by_mlflow(tmp_path / "theirs.db", root, first)
    make_empty("", tmp_path / "ours.db", root, schema_head())
    found = set()
    for name in ("theirs", "ours"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as db:
            found.add(db.execute("SELECT artifact_location FROM experiments").fetchone())
    assert len(found) == 1


@pytest.mark.usefixtures("kept")
def test_a_file_that_is_linked_to_stays_where_it_is_and_an_empty_one_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "there" / "mlflow.db")
    make_empty("", tmp_path / "link.db", "/x", schema_head())
    assert (tmp_path / "link.db").is_symlink() and (tmp_path / "there" / "mlflow.db").is_file()
    (tmp_path / "empty.db").touch(mode=0o600)
    make_empty("", tmp_path / "empty.db", "/x", schema_head())
    assert (tmp_path / "empty.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("kept")
def test_a_copy_needs_no_mlflow(tmp_path: Path, own_folder: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from sparkml_track.trackers._mlflow.lanes import empty_file
empty_file.user_folder = lambda: {str(own_folder)!r}
empty_file.make_empty("", Path({str(tmp_path)!r}, "second.db"), "/x", {schema_head()!r})
print("mlflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False" and (tmp_path / "second.db").is_file()


def test_where_none_can_be_kept_each_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> str:
        raise PermissionError("open to others")

    monkeypatch.setattr(empty_file, "user_folder", refused)
    assert made(tmp_path / "first").is_file()


def test_one_that_is_broken_is_not_believed(tmp_path: Path, kept: Path) -> None:
    kept.write_bytes(b"not a database")
    assert made(tmp_path / "second").is_file()
    assert all_of(tmp_path / "second" / "mlflow.db", f"{tmp_path}/second")
