"""The contract of model registries: versions with checked files, aliases, and the runs that speak of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track.carried import CarriedFeatures
from sparkml_track.refs import DataRef, ModelRef

__all__ = [
    "ALIAS_CHALLENGER",
    "ALIAS_CHAMPION",
    "FORMATS",
    "Column",
    "Package",
    "Registry",
    "Run",
    "Signature",
    "VersionFacts",
]

ALIAS_CHAMPION = "champion"  # the version that scores
ALIAS_CHALLENGER = "challenger"  # the latest version that did not beat it

SKLEARN = "mlflow.sklearn"
#: In what forms a stored model may be read. All but the first run code that comes with the model.
FORMATS = ("skops", "code", "pickle", "cloudpickle", "pyfunc")


@dataclass(frozen=True, slots=True)
class Column:
    """One input of a model.

    Attributes:
        name: of the column.
        type: "boolean", "integer", "long", "float", "double" or "string".
    """

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and how it is asked.

    Attributes:
        inputs: the columns, in the order the model takes them.
        method: "predict_proba" gives one column for each class, "predict" one value for each row.
    """

    inputs: tuple[Column, ...]
    method: str


@dataclass(frozen=True, slots=True)
class Package:
    """A fitted model with what is needed to ask it later.

    Attributes:
        model: has ``method``; takes a pandas data frame. Its own classes are defined at the top of modules, whose code
            is kept with it.
        sample: a pandas data frame of a few input rows: gives the signature and the input example. For ``log_model``
            anything that the model takes; None for no signature.
        method: see ``Signature``.
        requirements: pip requirements of whoever loads it, with versions; empty takes the library's own.
        carried: from what its features are looked up and computed; the model takes its columns, and the sample has
            them. Kept as ``features.json`` beside the model.
        flavor: the module of MLflow that stores the model. One of any other than ``mlflow.sklearn`` is asked by
            "predict", as ``mlflow.pyfunc`` does, and is read where the registry's formats have "pyfunc".
    """

    model: object
    sample: object
    method: str = "predict_proba"
    requirements: Sequence[str] = ()
    carried: CarriedFeatures | None = None
    flavor: str = SKLEARN


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is not a sweep, written whole when its work is done.

    Attributes:
        kind: the tag ``sparkml.kind``: "model", "scoring" or "monitoring".
        name: shown in the UI.
        experiment: the experiment's name; made if missing.
        params: plain values.
        metrics: numbers.
        tags: more tags.
        data: logged as dataset inputs and as tags ``sparkml.table.<name>``, with table versions.
        artifacts: artifact path to text.
        started: seconds since the epoch; 0 for the time of writing.
    """

    kind: str
    name: str
    experiment: str
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    data: Sequence[DataRef] = ()
    artifacts: Mapping[str, str] = field(default_factory=dict)
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What is known of a version.

    Attributes:
        ref: the version.
        created: seconds since the epoch.
        description: Markdown, for people; empty where nobody wrote one.
        aliases: that point to it now, sorted.
        tags: of the version.
        params: of its run, as text.
        metrics: of its run, the last value of each.
        data: by data name, the table version that its run read, "<table>@v<version>".
        run_tags: of its run, those of ``Run.tags`` and what was annotated since.
    """

    ref: ModelRef
    created: float
    description: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    run_tags: Mapping[str, str] = field(default_factory=dict)


class Registry(ABC):
    """Keeps model versions. Only the driver has one.

    Ownership: whoever makes a registry closes it. Threads: one at a time. Retries: none; a ``register`` that fails
    leaves no version, perhaps a FAILED run; everything else may be called again. A version is immutable: the SHA-256 of
    each of its files is kept with it, and ``load`` checks them before it reads anything else. Aliases are pointers; a
    move is one step.
    Any text names a metric, a param or a tag of a run, and different names are kept apart.
    Errors: ``RegistryError``, never anything foreign. A missing model, version or alias is one too, except where None
    is said.

    Attributes:
        uri: of the store, without secrets, for messages.
    """

    uri: str

    @abstractmethod
    def record(self, run: Run) -> str:
        """Writes a FINISHED run.

        Returns:
            The run id.
        """

    @abstractmethod
    def register(self, name: str, package: Package, run: Run) -> ModelRef:
        """Writes a FINISHED run with the model, and the next version of ``name``."""

    @abstractmethod
    def log_model(self, name: str, package: Package, run_id: str, experiment_id: str) -> str:
        """Adds a model, which is no version, to a run that is there; its sample may be an array too.

        Returns:
            Its URI.
        """

    @abstractmethod
    def annotate(self, ref: ModelRef, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Adds metrics to the run of a version, and tags to both."""

    @abstractmethod
    def tags(self, ref: ModelRef) -> Mapping[str, str]:
        """The tags of a version."""

    @abstractmethod
    def facts(self, ref: ModelRef) -> VersionFacts:
        """All that is known of a version, without reading its files."""

    @abstractmethod
    def adopt(self, ref: ModelRef) -> None:
        """Takes in a version that another tool registered.

        Its files are believed as they are now, and checked from then on. A version that was taken in or registered
        here keeps its digests.

        Raises:
            RegistryError: it has no signature with named columns.
        """

    @abstractmethod
    def describe(self, ref: ModelRef, text: str) -> None:
        """Sets the description of a version, Markdown; a longer one than the store takes is clipped."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The registered models, sorted."""

    @abstractmethod
    def versions(self, name: str) -> tuple[ModelRef, ...]:
        """All versions of a model, oldest first; empty if there is no such model."""

    @abstractmethod
    def version(self, name: str, version: int) -> ModelRef:
        """One version."""

    @abstractmethod
    def alias(self, name: str, alias: str) -> ModelRef | None:
        """The version an alias points to now; None if there is no such model or alias."""

    @abstractmethod
    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Points an alias to a version, away from where it pointed before."""

    @abstractmethod
    def move_alias(self, name: str, alias: str, expected: ModelRef | None, version: int) -> bool:
        """Points an alias to a version if it points to ``expected`` (None: to nothing), and says whether it did.

        One step among callers on one host, where the store is a file or this process. A server has no such step: there
        the alias is looked at before and after, and another host may come between; who must know looks again.
        """

    @abstractmethod
    def tagged(self, name: str, tag: str) -> Mapping[int, str]:
        """The value of a tag on each version that has it, by version; empty if there is no such model."""

    @abstractmethod
    def drop_alias(self, name: str, alias: str) -> None:
        """Removes an alias; one that is not there is fine."""

    @abstractmethod
    def signature(self, ref: ModelRef) -> Signature:
        """What a version takes, from checked files."""

    @abstractmethod
    def carried(self, ref: ModelRef) -> CarriedFeatures | None:
        """From what the features of a version are made, from checked files; None where it carries nothing."""

    @abstractmethod
    def load(self, ref: ModelRef) -> object:
        """The fitted model, from checked files; has the method its signature names."""

    @contextmanager
    def files(self, ref: ModelRef) -> Iterator[Path | None]:
        """The checked files of a version, in MLflow's format, for as long as the block runs.

        Returns:
            A folder of the caller's own; None where versions are not kept as files.
        """
        self.version(ref.name, ref.version)
        yield None

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections. May be called twice."""
