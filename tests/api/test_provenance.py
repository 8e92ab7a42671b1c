"""What a run says about its code."""

from __future__ import annotations

import subprocess
from importlib.metadata import distributions, version
from pathlib import Path
from types import SimpleNamespace

from sparkml_track import schema
from sparkml_track.api.provenance import (
    code_tags,
    environment_files,
    environment_tags,
    in_cluster_mode,
    spark_tags,
)


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_and_whether_there_are_changes_are_recorded(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert code_tags([tmp_path]) == {}
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "new.py").write_text("")  # not part of the code yet
    assert code_tags([tmp_path]) == {"mlflow.source.git.commit": commit, "sparkml.code.changed": "false"}
    (tmp_path / "a.py").write_text("a = 2\n")
    assert code_tags([tmp_path]) == {"mlflow.source.git.commit": commit, "sparkml.code.changed": "true"}


def test_without_git_nothing_is_recorded(tmp_path: Path) -> None:
    assert code_tags([tmp_path]) == {}


def test_versions_are_those_that_are_installed() -> None:
    tags = environment_tags()
    assert tags[f"{schema.TAG_VERSION}scikit-learn"] == version("scikit-learn")
    assert tags[f"{schema.TAG_VERSION}sparkml-track"] == version("sparkml-track")
    lines = environment_files(None)[schema.ARTIFACT_PACKAGES].splitlines()
    assert f"numpy=={version('numpy')}" in lines
    assert len(lines) >= len({one.name for one in distributions()}) - 2


def test_the_configuration_of_spark_is_kept_without_secrets() -> None:
    conf = "spark.app.name=a\nspark.hadoop.store=http://user:hunter2@host/x\nspark.ui.enabled=false"

    class Context:
        version, master, applicationId = "4.0", "local[2]", "local-1"  # noqa: N815  # pyspark's
        _conf = SimpleNamespace(_jconf=SimpleNamespace(toDebugString=lambda: conf))
        _jsc = SimpleNamespace(sc=lambda: SimpleNamespace(deployMode=lambda: "client"))

    session = SimpleNamespace(sparkContext=Context())
    kept = environment_files(session)[schema.ARTIFACT_SPARK_CONF]
    assert spark_tags(session)[schema.TAG_SPARK_MASTER] == "local[2]"
    assert not in_cluster_mode(session)
    assert "hunter2" not in kept
    assert "spark.app.name=a\n" in kept
    assert "spark.ui.enabled=false\n" in kept
