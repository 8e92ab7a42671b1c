"""Models in this process: the twin for tests and for trying things out."""

from __future__ import annotations

import hashlib
import pickle
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import RegistryError
from sparkml_track.refs import ModelRef
from sparkml_track.registries._base import SKLEARN, Package, Registry, Run, Signature, VersionFacts
from sparkml_track.registries._columns import signature_of

__all__ = ["MemoryRegistry"]


@dataclass(slots=True)
class _Version:
    ref: ModelRef
    signature: Signature
    blob: bytes
    digest: str
    created: float
    carried: CarriedFeatures | None = None
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


class MemoryRegistry(Registry):
    """Keeps all in this object; gone with it. Any number of threads may use it.

    Attributes:
        runs: run id to the run as recorded, annotations included.
        logged: models that are no versions, pickled, by URI.
    """

    uri = "memory:"

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.logged: dict[str, bytes] = {}
        self._models: dict[str, list[_Version]] = {}
        self._aliases: dict[tuple[str, str], int] = {}
        self._lock = threading.RLock()

    def record(self, run: Run) -> str:
        """See the contract."""
        run_id = uuid.uuid4().hex
        self.runs[run_id] = run
        return run_id

    def register(self, name: str, package: Package, run: Run) -> ModelRef:
        """See the contract."""
        if package.flavor != SKLEARN:
            raise RegistryError(f"models of {package.flavor} are stored by MLflow alone: register to a MlflowRegistry")
        signature = signature_of(package)
        # A copy by value, so that a later fit of the same object changes no version.
        blob = _pickled(package.model)
        with self._lock:
            versions = self._models.setdefault(name, [])
            number = len(versions) + 1
            ref = ModelRef(name, number, self.record(run), f"memory:/{name}/{number}")
            versions.append(
                _Version(ref, signature, blob, hashlib.sha256(blob).hexdigest(), time.time(), package.carried)
            )
            return ref

    def log_model(self, name: str, package: Package, run_id: str, experiment_id: str) -> str:
        """See the contract."""
        if run_id not in self.runs:
            raise RegistryError(f"could not log the model {name!r}: there is no run {run_id!r} in {experiment_id!r}")
        uri = f"models:/m-{uuid.uuid4().hex}"
        self.logged[uri] = _pickled(package.model)
        return uri

    def annotate(self, ref: ModelRef, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """See the contract."""
        with self._lock:
            stored, run = self._stored(ref), self.runs[ref.run_id]
            stored.tags = {**stored.tags, **tags}
            self.runs[ref.run_id] = replace(run, metrics={**run.metrics, **metrics}, tags={**run.tags, **tags})

    def tags(self, ref: ModelRef) -> Mapping[str, str]:
        """See the contract."""
        return dict(self._stored(ref).tags)

    def facts(self, ref: ModelRef) -> VersionFacts:
        """See the contract."""
        with self._lock:
            stored, run = self._stored(ref), self.runs[ref.run_id]
            aliases = {alias for (name, alias), to in self._aliases.items() if (name, to) == (ref.name, ref.version)}
        return VersionFacts(
            ref=stored.ref,
            created=stored.created,
            description=stored.description,
            aliases=tuple(sorted(aliases)),
            tags=dict(stored.tags),
            params={key: str(value) for key, value in run.params.items()},
            metrics=dict(run.metrics),
            data={data.name: str(data.table) for data in run.data if data.table is not None},
            run_tags=dict(run.tags),
        )

    def adopt(self, ref: ModelRef) -> None:
        """See the contract."""
        self._stored(ref)  # nobody else registers here

    def describe(self, ref: ModelRef, text: str) -> None:
        """See the contract."""
        self._stored(ref).description = text

    def names(self) -> tuple[str, ...]:
        """See the contract."""
        return tuple(sorted(self._models))

    def versions(self, name: str) -> tuple[ModelRef, ...]:
        """See the contract."""
        return tuple(each.ref for each in self._models.get(name, []))

    def version(self, name: str, version: int) -> ModelRef:
        """See the contract."""
        versions = self._models.get(name, [])
        if not 1 <= version <= len(versions):
            raise RegistryError(f"there is no version {version} of the model {name!r}, it has {len(versions)}")
        return versions[version - 1].ref

    def alias(self, name: str, alias: str) -> ModelRef | None:
        """See the contract."""
        number = self._aliases.get((name, alias))
        return None if number is None else self.version(name, number)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See the contract."""
        self._aliases[name, alias] = self.version(name, version).version

    def move_alias(self, name: str, alias: str, expected: ModelRef | None, version: int) -> bool:
        """See the contract."""
        with self._lock:
            if self.alias(name, alias) != expected:
                return False
            self.set_alias(name, alias, version)
            return True

    def tagged(self, name: str, tag: str) -> Mapping[int, str]:
        """See the contract."""
        stored = self._models.get(name, [])
        return {each.ref.version: each.tags[tag] for each in stored if tag in each.tags}

    def drop_alias(self, name: str, alias: str) -> None:
        """See the contract."""
        self._aliases.pop((name, alias), None)

    def signature(self, ref: ModelRef) -> Signature:
        """See the contract."""
        return self._checked(ref).signature

    def carried(self, ref: ModelRef) -> CarriedFeatures | None:
        """See the contract."""
        return self._checked(ref).carried

    def load(self, ref: ModelRef) -> object:
        """See the contract."""
        # Written by ``register`` of this same object, and checked.
        return pickle.loads(self._checked(ref).blob)  # noqa: S301

    def close(self) -> None:
        """Nothing to let go of."""

    def _stored(self, ref: ModelRef) -> _Version:
        self.version(ref.name, ref.version)
        return self._models[ref.name][ref.version - 1]

    def _checked(self, ref: ModelRef) -> _Version:
        stored = self._stored(ref)
        if hashlib.sha256(stored.blob).hexdigest() != stored.digest:
            raise RegistryError(f"{ref} is not what was registered, so it is not loaded. Register the model again.")
        return stored


def _pickled(model: object) -> bytes:
    try:
        return pickle.dumps(model)
    # Whatever an object raises that cannot be taken apart.
    except Exception as error:
        raise RegistryError(
            f"{type(model).__name__} could not be loaded again: {error!s:.200}; models may hold classes and functions "
            "that are defined at the top of a module"
        ) from error
