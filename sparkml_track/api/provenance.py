"""What a run says of where it came from: code version, environment, Spark. Best effort, never fails."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sparkml_track import schema
from sparkml_track.adapters.mlflow.uri import redacted

__all__ = ["code_tags", "environment_files", "environment_tags", "in_cluster_mode", "spark_tags"]

_PACKAGES = ("sparkml-track", "pyspark", "mlflow", "hyperopt", "optuna", "scikit-learn", "numpy", "pandas")


def environment_tags() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    tags = {schema.TAG_PYTHON: platform.python_version(), schema.TAG_PLATFORM: platform.platform()}
    there = _installed()
    return tags | {schema.TAG_VERSION + name: there[name].partition("==")[2] for name in _PACKAGES if name in there}


def environment_files(session: object | None) -> dict[str, str]:
    """Artifacts of the parent run: what is installed here, and how Spark is configured, by path."""
    files = {schema.ARTIFACT_PACKAGES: "".join(f"{line}\n" for line in sorted(_installed().values(), key=str.lower))}
    application = _application(session)
    return files if application is None else files | {schema.ARTIFACT_SPARK_CONF: application.conf}


def _installed() -> dict[str, str]:
    """Packages as "name==version", by the one spelling of their names; the first one on the path counts."""
    found: dict[str, str] = {}
    for folder in sys.path:
        with suppress(OSError):
            found = _packages_in(folder or ".", Path(folder or ".").stat().st_mtime_ns) | found
    return found


@lru_cache(maxsize=64)
def _packages_in(folder: str, _: int) -> dict[str, str]:
    """Of a folder as it was at a time; as names of folders say: to open what is in each takes a second."""
    names = (re.fullmatch(r"(.+)-([^-]+)\.dist-info", entry.name) for entry in os.scandir(folder))
    return {_normal(name[1]): f"{name[1]}=={name[2]}" for name in names if name is not None}


@dataclass(frozen=True, slots=True)
class _Application:
    """What does not change while a Spark application runs; some calls into the JVM each."""

    tags: Mapping[str, str]
    conf: str
    in_cluster: bool


def _application(session: object | None) -> _Application | None:
    """Of a session; None without one that has a SparkContext."""
    try:
        return _look_at(session.sparkContext)  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 - no session, or Spark Connect, which raises one of several errors of its own
        return None


@lru_cache(maxsize=1)
def _look_at(context: Any) -> _Application:
    tags = {
        schema.TAG_SPARK_VERSION: str(context.version),
        schema.TAG_SPARK_MASTER: str(context.master),
        schema.TAG_SPARK_APPLICATION: str(context.applicationId),
    }
    # One call to the JVM, which leaves out the secrets it knows; those in addresses it does not.
    conf = str(context._conf._jconf.toDebugString())  # noqa: SLF001
    in_cluster = bool(context._jsc.sc().deployMode() == "cluster")  # noqa: SLF001  # getConf is a hundred calls
    return _Application(tags, "\n".join(map(redacted, conf.splitlines())) + "\n", in_cluster)


def _normal(name: str) -> str:
    """One spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def code_tags(folders: Sequence[str | Path] = ()) -> dict[str, str]:
    """The git commit of the first folder, and whether it holds changes; nothing where there is no git."""
    folder = Path(folders[0]) if folders else Path.cwd()
    lines = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no").splitlines()
    heads = [line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")]
    if not heads or heads[0] == "(initial)":
        return {}
    changed = any(not line.startswith("#") for line in lines)
    return {"mlflow.source.git.commit": heads[0], schema.TAG_CODE_CHANGED: str(changed).lower()}


def spark_tags(session: object | None) -> dict[str, str]:
    """Version, master and application of a Spark session."""
    if session is None:
        return {}
    application = _application(session)
    if application is not None:
        return dict(application.tags)
    return {schema.TAG_SPARK_VERSION: str(getattr(session, "version", "")), schema.TAG_SPARK_MASTER: "connect"}


def in_cluster_mode(session: object | None) -> bool:
    """Whether this process was started by the cluster, on one of its machines; never so with Spark Connect."""
    application = _application(session)
    return application is not None and application.in_cluster


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
