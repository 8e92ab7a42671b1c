"""The one folder for all state."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.errors import SetupError
from sparkml_track.home import Home


def test_everything_lies_under_one_folder(tmp_path: Path) -> None:
    home = Home.find(tmp_path / "state").make()
    for path in (home.database, home.artifacts, home.tables, home.journal, home.reports, home.spark):
        assert path.parent == tmp_path / "state"
    assert home.tables.is_dir()
    assert home.tracking_uri == f"sqlite:///{tmp_path}/state/mlflow.db"
    assert [path.name for path in home.root.iterdir() if path.is_file()] == []


def test_making_it_again_keeps_what_is_there(tmp_path: Path) -> None:
    home = Home.find(tmp_path).make()
    (home.tables / "kept").write_text("x")
    assert (home.make().tables / "kept").read_text() == "x"


def test_finding_makes_nothing(tmp_path: Path) -> None:
    Home.find(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_a_relative_home_stays_where_it_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.find(environ={})
    monkeypatch.chdir("/")
    assert home.root == tmp_path / ".sparkml"


def test_a_home_that_cannot_be_made_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    # A file in its way: root may write everywhere, so permission bits would not do here.
    (tmp_path / "file").write_text("x")
    with pytest.raises(SetupError, match=r"cannot be written \(Not a directory\).*SPARKML_HOME"):
        Home.find(tmp_path / "file" / "state").make()


def test_a_home_on_a_read_only_mount_is_one_sentence() -> None:
    with pytest.raises(SetupError, match="cannot be written"):
        Home.find("/proc/sparkml").make()


MOUNTS = """\
overlay / overlay rw 0 0
nas:/jobs /mnt/jobs nfs4 rw 0 0
/dev/sdb /mnt/jobs/scratch ext4 rw 0 0
s3fs /mnt/my\\040bucket fuse.s3fs rw 0 0
"""


@pytest.mark.parametrize("path", ["/mnt/jobs/home", "/mnt/my bucket/home"])
def test_a_home_on_shared_storage_outlives_a_driver_in_the_cluster(path: str) -> None:
    assert Home(Path(path)).keep(MOUNTS).root == Path(path)


@pytest.mark.parametrize("path", ["/work/.sparkml", "/mnt/jobs/scratch/home", "/mnt/jobsx"])
def test_a_home_that_is_lost_with_the_driver_is_refused_with_the_setting(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError, match=r"\((overlay|ext4)\).*spark.kubernetes.driverEnv.SPARKML_HOME"):
        Home(Path(path)).keep(MOUNTS)
    monkeypatch.setenv("SPARKML_HOME_KEPT", "true")
    Home(Path(path)).keep(MOUNTS)


@pytest.mark.parametrize("name", ["what?", "a#b", "a%20b"])
def test_a_path_that_a_uri_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SetupError, match="URIs of tracking stores take for something else"):
        Home.find(tmp_path / name / "state").make()
    assert list(tmp_path.iterdir()) == []
    Home.find(tmp_path / "100% \u00fcber & co").make()


@pytest.mark.parametrize("given", ["s3://bucket/team/home", Path("s3://bucket/team/home"), "s3://bucket/team/home/"])
def test_a_home_in_an_object_store_has_a_folder_here_that_names_it(
    given: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.find(given)
    assert home.root == tmp_path / ".sparkml-s3/bucket/team/home"
    assert str(Home(home.root).store) == home.place == "s3://bucket/team/home"
    assert home.tables_root == "s3://bucket/team/home/tables"
    assert home.database.parent == home.make().root
    assert not home.tables.exists()
    assert not home.journal.exists()


def test_a_folder_is_not_in_an_object_store(tmp_path: Path) -> None:
    home = Home.find(tmp_path)
    assert (home.store, home.place, home.tables_root) == (None, str(tmp_path), f"{tmp_path}/tables")


def test_an_address_that_is_not_valid_is_refused_without_its_credentials() -> None:
    with pytest.raises(SetupError, match="must not hold credentials") as raised:
        Home.find("s3://KEY:hidden@bucket/home")
    assert "hidden" not in str(raised.value)
    with pytest.raises(SetupError, match="'s3://b/x y' is not an address in an object store"):
        Home.find("s3://b/x y")


def test_in_cluster_mode_a_home_in_an_object_store_needs_tracking_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.find("s3://bucket/home")
    assert home.keep("/dev/sda / ext4 rw 0 0", tracked=True) == home
    with pytest.raises(SetupError, match=r": tracking would be lost with it. Name a tracking server by tracking.uri"):
        home.keep("/dev/sda / ext4 rw 0 0")
