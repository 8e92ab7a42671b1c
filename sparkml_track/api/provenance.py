"""What a run should say about where it came from: code version, environment, Spark. Best effort, never fails."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sparkml_track import schema

__all__ = ["code_tags", "environment_tags", "in_cluster_mode", "spark_tags"]

_PACKAGES = ("sparkml-track", "pyspark", "mlflow", "hyperopt", "optuna", "scikit-learn", "numpy", "pandas")


def environment_tags() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    tags = {schema.TAG_PYTHON: platform.python_version(), schema.TAG_PLATFORM: platform.platform()}
    for name in _PACKAGES:
        try:
            tags[schema.TAG_VERSION + name] = version(name)
        except PackageNotFoundError:
            continue
    return tags


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
