"""The registry of the home, and what it says of its models; read again only after something was written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sparkml_track.adapters.mlflow.links import run_link
from sparkml_track.dashboards.asked import remembered
from sparkml_track.dashboards.blocks import Markup, link
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind, Stamp

if TYPE_CHECKING:
    from sparkml_track.refs import ModelRef
    from sparkml_track.registries import Registry, VersionFacts

__all__ = ["History", "Model", "changed", "empty_store", "history", "kept", "models", "names", "registry", "to_run"]

_T = TypeVar("_T")
_MODELS, _VERSIONS = 100, 50  # that are read
_AWAY = 15  # seconds for which a store that is no file of the home is taken to be unchanged
_FILE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Model:
    """One registered model.

    Attributes:
        name: as registered.
        versions: how many.
        champion: its number, None where there is none.
        challenger: likewise.
        waiting: versions that wait for approval.
    """

    name: str
    versions: int
    champion: int | None
    challenger: int | None
    waiting: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The versions of a model.

    Attributes:
        name: of the model.
        total: how many there are.
        versions: the last ones, the newest first.
    """

    name: str
    total: int
    versions: tuple[VersionFacts, ...]

    def version(self, number: int | None) -> VersionFacts | None:
        """One of them."""
        return next((each for each in self.versions if each.ref.version == number), None)

    def having(self, alias: str) -> VersionFacts | None:
        """The version that an alias points to."""
        return next((each for each in self.versions if alias in each.aliases), None)


def store(page: Page) -> str:
    """The address of the registry: that which the server was started with, else the home's own."""
    return os.environ.get("MLFLOW_BACKEND_STORE_URI") or page.home.tracking_uri


def empty_store(page: Page) -> bool:
    """Whether the registry is a file that nothing has made yet; to open it would make it."""
    uri = store(page)
    return uri.startswith(_FILE) and not Path(uri.removeprefix(_FILE)).exists()


@contextmanager
def registry(page: Page) -> Iterator[Registry]:
    """The registry, which is there.

    Raises:
        RegistryError: it cannot be read.
    """
    from sparkml_track.registries import MlflowRegistry

    opened = MlflowRegistry(store(page), lineage=False)
    try:
        yield opened
    finally:
        opened.close()


def changed(page: Page) -> Stamp:
    """When the registry was last written."""
    away = store(page) != page.home.tracking_uri
    return (int(time.time()) // _AWAY,) if away else page.stamp(Kind.RUNS)


def kept(page: Page, key: tuple[object, ...], make: Callable[[Registry], _T]) -> _T:
    """What was read of the registry, until it is written."""

    def made() -> _T:
        with registry(page) as opened:
            return make(opened)

    return remembered(page, ("registry", *key), changed(page), made)


def names(page: Page) -> Sequence[str]:
    """The names of all registered models, sorted."""
    return () if empty_store(page) else kept(page, ("names",), lambda opened: list(opened.names()))


def models(page: Page) -> Sequence[Model]:
    """The first registered models, sorted by name."""
    if empty_store(page):
        return ()
    return kept(page, ("models",), lambda opened: [_model(opened, name) for name in opened.names()[:_MODELS]])


def history(page: Page, name: str) -> History:
    """The last versions of a model."""
    if empty_store(page):
        return History(name, 0, ())
    return kept(page, ("history", name), lambda opened: _history(opened, name))


def to_run(text: object, run_id: str | None) -> Markup:
    """A link to a run in MLflow's UI."""
    return link(text, run_link("", run_id) if run_id else "")


def _model(opened: Registry, name: str) -> Model:
    from sparkml_track.registries import ALIAS_CHALLENGER, ALIAS_CHAMPION
    from sparkml_track.schema import TAG_APPROVAL

    stages = opened.tagged(name, TAG_APPROVAL)
    waiting = tuple(sorted(number for number, stage in stages.items() if stage == "pending"))
    first, second = (_number(opened.alias(name, alias)) for alias in (ALIAS_CHAMPION, ALIAS_CHALLENGER))
    return Model(name, len(opened.versions(name)), first, second, waiting)


def _history(opened: Registry, name: str) -> History:
    refs = opened.versions(name)
    # The champion may be older than the last ones.
    champion = opened.alias(name, "champion")
    chosen = [*refs[-_VERSIONS:]]
    if champion is not None and champion not in chosen:
        chosen.insert(0, champion)
    return History(name, len(refs), tuple(opened.facts(ref) for ref in reversed(chosen)))


def _number(ref: ModelRef | None) -> int | None:
    return None if ref is None else ref.version
