"""What a run says of where it came from: code version, environment, Spark. Best effort, never fails."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sparkml_track import schema
from sparkml_track.adapters.mlflow.uri import redacted

__all__ = ["code_tags", "environment_files", "environment_tags", "in_cluster_mode", "spark_tags"]

_PACKAGES = ("sparkml-track", "pyspark", "mlflow", "hyperopt", "optuna", "scikit-learn", "numpy", "pandas")


def environment_tags() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    there = {_normal(name): version for name, version in _installed().items()}
    tags = {schema.TAG_PYTHON: platform.python_version(), schema.TAG_PLATFORM: platform.platform()}
    return tags | {schema.TAG_VERSION + name: there[name] for name in _PACKAGES if name in there}


def environment_files(session: object | None) -> dict[str, str]:
    """Artifacts of the parent run: what is installed here, and how Spark is configured, by path."""
    lines = (f"{name}=={version}\n" for name, version in sorted(_installed().items(), key=lambda one: one[0].lower()))
    files = {schema.ARTIFACT_PACKAGES: "".join(lines)}
    try:
        # One call to the JVM, which leaves out the secrets it knows; those in addresses it does not.
        conf = str(session.sparkContext._conf._jconf.toDebugString())  # type: ignore[union-attr]  # noqa: SLF001
    except Exception:  # noqa: BLE001 - no session, or Spark Connect, which raises one of several errors of its own
        return files
    return files | {schema.ARTIFACT_SPARK_CONF: "\n".join(map(redacted, conf.splitlines())) + "\n"}


def _installed() -> dict[str, str]:
    """Versions by package, as names of folders say: to open what is in each takes a second. The first one counts."""
    found: dict[str, str] = {}
    for folder in sys.path:
        with suppress(OSError):
            names = (re.fullmatch(r"(.+)-([^-]+)\.dist-info", entry.name) for entry in os.scandir(folder or "."))
            for name in filter(None, names):
                found.setdefault(name[1], name[2])
    return found


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
    tags = {schema.TAG_SPARK_VERSION: str(getattr(session, "version", ""))}
    try:
        context = session.sparkContext  # type: ignore[attr-defined]
        tags |= {schema.TAG_SPARK_MASTER: context.master, schema.TAG_SPARK_APPLICATION: context.applicationId}
    except Exception:  # noqa: BLE001 - Spark Connect has no context, and raises one of several errors of its own
        tags[schema.TAG_SPARK_MASTER] = "connect"
    return tags


def in_cluster_mode(session: object | None) -> bool:
    """Whether this process was started by the cluster, on one of its machines; never so with Spark Connect."""
    try:
        context = session.sparkContext  # type: ignore[union-attr]
        return bool(context._jsc.sc().deployMode() == "cluster")  # noqa: SLF001  # getConf is a hundred calls
    except Exception:  # noqa: BLE001 - no session, or Spark Connect, which raises one of several errors of its own
        return False


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
