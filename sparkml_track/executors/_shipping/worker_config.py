"""What a worker is given: the same for one that stays and for one attempt in a task of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from sparkml_track.executors._base import Work
from sparkml_track.executors._shipping.work import Packed
from sparkml_track.slot import autolog
from sparkml_track.slot.attempt.run_log import NESTED_RUNS
from sparkml_track.slot.config import Config
from sparkml_track.slot.wire.frames import Address

__all__ = ["for_others_too", "worker_config"]

_CAPS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

#: In slots ``mlflow`` is the run of the trial: see ``slot._mlflow_store``.
_MLFLOW = (
    ("MLFLOW_TRACKING_URI", "sparkml://trial"),
    ("MLFLOW_REGISTRY_URI", "sparkml://trial"),
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
)


def worker_config(
    work: Work, packed: Packed, token: str, *, shared_host: bool, address: Address = ("", ""), secret: bytes = b""
) -> Config:
    """What workers need to know.

    Args:
        work: what all attempts share.
        packed: the same, as files.
        token: names the executor.
        shared_host: slots have the driver's file system: its ``sys.path`` and its folder are theirs.
        address: of the broker.
        secret: shared with it.
    """
    return Config(
        address,
        secret,
        token,
        packed.work,
        packed.data,
        tuple(dict.fromkeys([*work.code, *sys.path])) if shared_host else (),
        _environment(work),
        fresh=work.isolation == "fresh",
        kept=work.isolation == "kept",
        code=packed.code,
        artifacts=work.artifacts or "",
        payload_limit=work.payload_limit,
        folder=_own_folder() if shared_host else "",
    )


def _environment(work: Work) -> tuple[tuple[str, str], ...]:
    """Native thread pools are kept to the cores of a slot, and MLflow logs into the trial."""
    caps = [(name, str(work.threads or work.resources.cpus)) for name in _CAPS]
    if not work.tracked:
        return (*caps, (autolog.VARIABLE, ""))
    chosen = json.dumps(work.autolog) if work.autolog else ""
    return (*caps, *_MLFLOW, (NESTED_RUNS, work.nested), (autolog.VARIABLE, chosen))


def _own_folder() -> str:
    """The folder that the driver is in; empty if it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def for_others_too(config: Config, imports: Sequence[str], *, shared_host: bool) -> Config:
    """The same for workers that stay: another sweep that is made of the same goes on with what they have loaded.

    Args:
        config: of a sweep.
        imports: libraries that its objective imports.
        shared_host: as for ``worker_config``; processes then have the environment of the driver as well.
    """
    around = [*sorted(os.environ.items()), *map(_version, ("", *sys.path))] if shared_host else []
    base = (config.path, config.code, config.env, config.folder, around)
    mine = (base, config.work, config.data, config.fresh, config.kept, config.artifacts)
    clean = dict(config.env)[autolog.VARIABLE] == ""  # what is switched on for one sweep is so in all it forks
    return replace(config, key=_digest(mine), base=_digest(base) if clean else "", imports=tuple(imports))


def _version(folder: str) -> tuple[int, int, int] | None:
    """Which folder it is, as one may be made anew under its name, and when something was installed there."""
    try:
        found = os.stat(folder or os.curdir)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns if folder.endswith("-packages") else 0


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogateescape")).hexdigest()
