"""Aliases that move: the new version is loaded aside, checked, warmed, and exchanged; a broken one is refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sparkml_track.errors import RegistryError, SparkmlError
from sparkml_track.refs import ModelRef
from sparkml_track.registries import Registry
from sparkml_track.serving._spec import Serving
from sparkml_track.serving.models.features import OpenFeatures
from sparkml_track.serving.models.loading import LoadedModel, load_version
from sparkml_track.serving.models.predicting import warm
from sparkml_track.serving.models.routing import CANARY, SERVED, SHADOW, Route, Routing
from sparkml_track.serving.protocol.refused import Refused

__all__ = ["Follower"]

_LOG = logging.getLogger(__name__)
_LONGEST_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A version that was not taken, and when it is tried again."""

    version: int
    why: str
    wait: float
    again: float


class Follower:
    """Keeps a routing in step with the registry. One thread looks; any may read ``routing``.

    Args:
        spec: what is served. ``refresh`` may give other routes, shares and shadows while it runs.
        registry: asked by the looking thread alone.
        open_features: for the look-ups that versions carry.
        refresh: gives the spec as its file says it now.

    Attributes:
        swaps: how often an alias was seen to move and its new version taken.

    Raises:
        RegistryError: no route leads to a version, or the version of one is broken.
    """

    def __init__(
        self,
        spec: Serving,
        registry: Registry,
        open_features: OpenFeatures | None = None,
        refresh: Callable[[], Serving] | None = None,
    ) -> None:
        self.swaps = 0
        self._spec, self._registry, self._open, self._refresh = spec, registry, open_features, refresh
        self._refused: dict[str, _Refusal] = {}
        self._missing: dict[str, str] = {}
        self._trouble = ""
        self._looking = threading.Lock()
        #: At this moment; exchanged as a whole.
        self.routing = Routing(())
        self.routing = self._looked()
        self.swaps = 0

    def problems(self) -> Mapping[str, str]:
        """What is not as it should be, by alias; of the look at them by "reload"."""
        found = {
            alias: f"version {each.version} is refused: {each.why}" for alias, each in self._refused.copy().items()
        }
        return {**self._missing, **found, **({"reload": self._trouble} if self._trouble else {})}

    def look(self) -> None:
        """Looks at the aliases once, and exchanges what moved. Never raises."""
        with self._looking:
            try:
                self._reread()
                self.routing = self._looked()
            except SparkmlError as error:
                self._say(str(error))
            except Exception as error:  # noqa: BLE001 -- what was served goes on
                self._say(f"{type(error).__name__}: {error}")
            else:
                self._trouble = ""

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            _LOG.warning("the aliases of %s could not be looked at, so what is served stays: %s", self._name, trouble)
        self._trouble = trouble

    @property
    def _name(self) -> str:
        return self._spec.model

    def _reread(self) -> None:
        if self._refresh is None:
            return
        new = self._refresh()
        if (dict(new.routes), new.shadow) != (dict(self._spec.routes), self._spec.shadow):
            _LOG.info("routes of %s are now %s, shadows %s", self._name, dict(new.routes), list(new.shadow))
            self._spec = replace(self._spec, routes=new.routes, shadow=new.shadow)

    def _looked(self) -> Routing:
        now = {route.alias: route.model for route in (*self.routing.shadows, *self.routing.routes)}
        loaded = {model.ref.version: model for model in now.values()}
        refs = {alias: self._ref(alias) for alias in (*self._spec.routes, *self._spec.shadow)}
        self._note_missing(refs)
        chosen = dict[str, LoadedModel]()
        for alias, ref in refs.items():
            model = None if ref is None else self._taken(alias, ref, now.get(alias), loaded)
            if model is not None:
                chosen[alias] = loaded[model.ref.version] = model
        if not any(alias in chosen for alias, share in self._spec.routes.items() if share):
            raise RegistryError(self._nowhere())
        self._refused = {alias: each for alias, each in self._refused.items() if refs.get(alias)}
        return self._routing(chosen)

    def _nowhere(self) -> str:
        versions = ", ".join(str(each.version) for each in self._registry.versions(self._name)) or "none"
        why = "; ".join(self.problems().values())
        return (
            f"no route of the model {self._name!r} leads to a version: {why}. Its versions are: {versions}. Point an "
            "alias of routes to one that can be served, or name another alias or a version in routes"
        )

    def _taken(
        self, alias: str, ref: ModelRef, now: LoadedModel | None, loaded: Mapping[int, LoadedModel]
    ) -> LoadedModel | None:
        """The version that an alias has from now on; the one it had where the new one is broken."""
        known = loaded.get(ref.version)
        if known is not None:
            self._refused.pop(alias, None)
        elif (before := self._refused.get(alias)) and before.version == ref.version and time.monotonic() < before.again:
            return now
        else:
            try:
                known = self._load(ref)
                self._refused.pop(alias, None)
            except Exception as error:  # noqa: BLE001 -- whatever a model raises when it is loaded
                self._refuse(alias, ref, error)
                return now
        if now is None or now.ref.version != ref.version:
            self._report(alias, now, known)
        return known

    def _load(self, ref: ModelRef) -> LoadedModel:
        model = load_version(self._registry, ref, self._open)
        try:
            warm(model)
        except Refused as error:
            raise RegistryError(f"{ref} does not take its own input example: {error.sentence}") from error
        return model

    def _refuse(self, alias: str, ref: ModelRef, error: Exception) -> None:
        why = str(error) if isinstance(error, SparkmlError) else f"{type(error).__name__}: {error}"
        before = self._refused.get(alias)
        wait = self._spec.reload
        if before is not None and before.version == ref.version:
            wait = min(2 * before.wait, max(_LONGEST_WAIT, self._spec.reload))
        else:
            _LOG.warning("%s is refused, so what %s had goes on: %s", ref, alias, why)
        self._refused[alias] = _Refusal(ref.version, why, wait, time.monotonic() + wait)

    def _report(self, alias: str, before: LoadedModel | None, now: LoadedModel) -> None:
        self.swaps += 1
        old = {each.name for each in before.inputs} if before else set()
        more = sorted({each.name for each in now.inputs if each.required} - old) if before else []
        also = f"; it also takes {', '.join(more)}, requests without are refused" if more else ""
        _LOG.info("%s of %s is now version %d%s", alias, self._name, now.ref.version, also)

    def _note_missing(self, refs: Mapping[str, ModelRef | None]) -> None:
        missing = {alias: f"no version has the alias {alias!r}" for alias, ref in refs.items() if ref is None}
        for alias in missing.keys() - self._missing.keys():
            _LOG.warning("no version of %s has the alias %s; its share goes to the others", self._name, alias)
        self._missing = missing

    def _ref(self, alias: str) -> ModelRef | None:
        return (
            self._registry.version(self._name, int(alias))
            if alias.isdigit()
            else self._registry.alias(self._name, alias)
        )

    def _routing(self, chosen: Mapping[str, LoadedModel]) -> Routing:
        first = next(iter(self._spec.routes))
        routes = tuple(
            Route(alias, SERVED if alias == first else CANARY, share, chosen[alias])
            for alias, share in self._spec.routes.items()
            if alias in chosen
        )
        shadows = tuple(Route(alias, SHADOW, 0.0, chosen[alias]) for alias in self._spec.shadow if alias in chosen)
        return Routing(routes, shadows)
