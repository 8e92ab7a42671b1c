"""A fitted model as bytes that Spark's workers can read, wherever its classes were defined."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from pyspark import cloudpickle

from sparkml_track.errors import NotBuilt
from sparkml_track.refs import ModelRef
from sparkml_track.registries import is_users
from sparkml_track.scoring import _worker

__all__ = ["by_value", "pack"]

#: Above this the model does not travel in the closure of a Spark job.
_MOST_BYTES = 256 * 2**20


def pack(fitted: object, model: ModelRef) -> bytes:
    """Pickles a model: classes of installed packages by name, those of the project itself with their code.

    Raises:
        NotBuilt: it is too large.
    """
    with by_value(*_users()):
        blob: bytes = cloudpickle.dumps(fitted)  # type: ignore[no-untyped-call]
    if len(blob) > _MOST_BYTES:
        raise NotBuilt(f"{model} takes {len(blob) >> 20} MB, batch scoring sends at most {_MOST_BYTES >> 20} MB")
    return blob


@contextmanager
def by_value(*modules: ModuleType) -> Iterator[None]:
    """Sends the functions and classes of modules themselves; without an argument those of ``_worker``."""
    chosen = modules or (_worker,)
    for module in chosen:
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for module in chosen:
            cloudpickle.unregister_pickle_by_value(module)  # type: ignore[no-untyped-call]


def _users() -> list[ModuleType]:
    """Modules that are not installed: workers may lack them, or have others of that name."""
    known = cloudpickle.list_registry_pickle_by_value()  # type: ignore[no-untyped-call]
    return [
        module
        for name, module in list(sys.modules.items())
        if getattr(module, "__name__", None) == name
        and name not in known
        and name.partition(".")[0] not in ("pyspark", "py4j", "sparkml_track", "__main__")
        and is_users(module)
    ]
