"""The Spark session: the one that is there first, then a local one that keeps to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkml_track.api.session import java_problem, local_or_active
from sparkml_track.config.settings import SparkSettings
from sparkml_track.errors import SetupError
from sparkml_track.home import Home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def java(folder: Path, says: str, code: int = 0) -> dict[str, str]:
    """An environment whose Java says this about its version."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    program.chmod(0o755)
    return {"JAVA_HOME": str(folder), "PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    "says",
    ['openjdk version "17.0.15" 2025-04-15', 'java version "21" 2023-09-19 LTS', 'openjdk version "25-ea"'],
)
def test_java_17_and_later_will_do(says: str, tmp_path: Path) -> None:
    assert java_problem(java(tmp_path, says)) is None


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "is Java 11"),
        ('java version "1.8.0_202"', "is Java 8"),
        ("nothing of use", "does not print one"),
    ],
)
def test_an_older_java_is_one_sentence_with_the_way_out(says: str, words: str, tmp_path: Path) -> None:
    problem = java_problem(java(tmp_path, says))
    assert problem is not None
    assert words in problem
    assert f"{tmp_path}/bin/java" in problem
    assert problem.endswith(
        "install it (on Debian or Ubuntu: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
    )


def test_a_missing_java_is_one_sentence(tmp_path: Path) -> None:
    assert "there is no java on PATH" in (java_problem({"PATH": str(tmp_path)}) or "")
    home = {"PATH": os.environ["PATH"], "JAVA_HOME": str(tmp_path)}
    assert f"JAVA_HOME is {tmp_path}, which has no bin/java" in (java_problem(home) or "")


def test_without_java_no_session_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SetupError, match="Spark needs Java 17 or later"):
        local_or_active(home=Home.find(tmp_path / "home"))
    assert not (tmp_path / "home").exists()


@pytest.mark.spark
def test_an_active_session_is_taken_as_it_is(spark: SparkSession, tmp_path: Path) -> None:
    settings = SparkSettings(master="local[7]", conf={"spark.sql.shuffle.partitions": 77})
    assert local_or_active(settings, Home.find(tmp_path / "home")) is spark
    assert spark.conf.get("spark.sql.shuffle.partitions") == "2"


# Prints what a new session is, in a process of its own: a JVM takes its settings when it starts.
PROGRAM = """
import sys
from sparkml_track.home import Home
from sparkml_track.api.session import local_or_active
from sparkml_track.config.settings import SparkSettings

conf = {"spark.sql.shuffle.partitions": 3, "spark.my.key": "ours", "spark.driver.memory": "600m"}
session = local_or_active(SparkSettings(master="local[2]", conf=conf), Home.find(sys.argv[1]), "mine")
wanted = ["spark.sql.session.timeZone", "spark.sql.shuffle.partitions", "spark.my.key", "spark.driver.memory"]
print(session.sparkContext.master, session.sparkContext.appName, *[session.conf.get(key) for key in wanted])
print(session.conf.get("spark.driver.host", ""), session.sparkContext.uiWebUrl)
print(session.sparkContext.parallelize([0], 1).map(lambda _: __import__("sys").executable).first())
session.sql("CREATE TABLE kept USING parquet AS SELECT 1 AS one")
session.stop()
"""


def session_of(command: list[str], folder: Path, root: Path) -> tuple[list[str], str]:
    """The lines that the program prints, and the last of stderr."""
    (folder / "program.py").write_text(PROGRAM)
    environ = {**os.environ, "PYTHONPATH": str(root)}
    command = [*command, "program.py", str(folder / "my home")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environ, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.mark.spark
def test_a_new_session_keeps_to_loopback_and_to_its_home(tmp_path: Path, root: Path) -> None:
    lines, errors = session_of([sys.executable], tmp_path, root)
    assert lines == ["local[2] mine UTC 3 ours 600m", "127.0.0.1 None", sys.executable]
    assert (tmp_path / "my home" / "spark" / "warehouse" / "kept").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my home", "program.py"]
    # What the JVM itself says of a module that Spark asks for; of Spark nothing.
    assert errors.splitlines() == ["WARNING: Using incubator modules: jdk.incubator.vector"]


@pytest.mark.spark
def test_the_master_and_settings_of_spark_submit_come_first(tmp_path: Path, root: Path) -> None:
    submit = [str(Path(sys.executable).parent / "spark-submit"), "--master", "local[3]"]
    submit += ["--conf", "spark.my.key=theirs", "--conf", f"spark.sql.warehouse.dir={tmp_path}/warehouse"]
    lines, _ = session_of(submit, tmp_path, root)
    assert lines[0].split()[:5] == ["local[3]", "mine", "UTC", "3", "theirs"]
    assert (tmp_path / "warehouse" / "kept").is_dir()


@pytest.mark.parametrize("error", [ValueError("invalid literal for int() with base 10: 'notaport'")])
def test_a_connect_address_that_cannot_be_read_is_refused_in_one_sentence(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("sparkml_track.api.session._active", lambda: None)
    monkeypatch.setattr("sparkml_track.api.session._new", fail)
    with pytest.raises(
        SetupError, match=r"Spark does not start on sc://h:notaport \(.*notaport.*check that the master"
    ):
        local_or_active(SparkSettings(master="sc://h:notaport"), Home.find(tmp_path))
