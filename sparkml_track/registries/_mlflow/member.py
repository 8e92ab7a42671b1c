"""MLflow's model registry. All through its client: no active run, no global tracking URI."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sparkml_track.adapters.mlflow.names import stored_name
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.adapters.mlflow.values import clipped
from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import RegistryError, SparkmlError, TrackingError
from sparkml_track.refs import ModelRef
from sparkml_track.registries._base import FORMATS, Package, Registry, Run, Signature, VersionFacts
from sparkml_track.registries._files import check_files, digest_files
from sparkml_track.registries._lineage import record_registration
from sparkml_track.registries._lock import alone
from sparkml_track.registries._mlflow.carried import read_carried
from sparkml_track.registries._mlflow.files import read_model, read_signature, write_model
from sparkml_track.registries._mlflow.runs import RunRecorder, facts_of
from sparkml_track.schema import TAG_FILES, TAG_KIND

__all__ = ["MlflowRegistry"]

_MAX_DESCRIPTION = 5000  # MLflow's SQL store has no room for more
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,127}")


class MlflowRegistry(Registry):
    """Models in MLflow, by SQLite file, database or server.

    Args:
        uri: of the tracking store, which is the registry too.
        artifacts: where new experiments keep their artifacts (a path or URI); None leaves it to the store.
        formats: what may be read. "skops", which always may be, runs no code but that of installed libraries and of the
            project; "code" (modules stored with a model), "pickle", "cloudpickle" and "pyfunc" run whatever the store
            holds, and the digests that are checked lie in the same store.
        lineage: whether versions record from which tables and sweep they were made.
    """

    def __init__(
        self, uri: str, artifacts: str | None = None, formats: Collection[str] = ("skops",), *, lineage: bool = True
    ) -> None:
        if unknown := sorted(set(formats) - set(FORMATS)):
            raise RegistryError(f"formats are {', '.join(FORMATS)}, got {', '.join(map(repr, unknown))}")
        self._formats = frozenset(formats)
        self._lineage = lineage
        self.uri = redacted(uri)
        self._full_uri = uri
        with self._translated("open the registry"):
            from mlflow import MlflowClient

            from sparkml_track.adapters.mlflow.rest import check_database

            check_database(uri)
            self._client: Any = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._runs = RunRecorder(uri, self._client, artifacts)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Turns what MLflow, its stores and its transport raise into ``RegistryError``, without secrets."""
        try:
            yield
        except TrackingError as error:  # of what writes runs for trackers too
            raise RegistryError(f"could not {what}: {error}") from error
        except SparkmlError:
            raise
        # MLflow lets errors of SQLAlchemy, requests, skops and the file system through: one door, so all of them.
        except Exception as error:  # noqa: BLE001
            from sparkml_track.adapters.mlflow.errors import message_of, shown_cause

            uri = self._full_uri
            text = f"{type(error).__name__}: {message_of(error, uri)}"
            raise RegistryError(f"could not {what}: {text}") from shown_cause(error, uri)

    def record(self, run: Run) -> str:
        """See the contract."""
        with self._translated(f"write the {run.kind} run {run.name!r}"), self._runs.run(run) as (run_id, _):
            return run_id

    def register(self, name: str, package: Package, run: Run) -> ModelRef:
        """See the contract."""
        if not _NAME.fullmatch(name):
            raise RegistryError(f"a model name has letters, digits, '_', '.', '-', at most 128, got {name!r}")
        with self._translated(f"register the model {name!r}"), self._runs.run(run) as (run_id, experiment):
            logged, files = self._log_model(name, package, run_id, experiment)
            tags = {TAG_FILES: json.dumps(files), TAG_KIND: run.kind}
            made = self._create_version(name, logged, run_id, tags)
        if self._lineage:
            record_registration(made, run)
        return made

    def log_model(self, name: str, package: Package, run_id: str, experiment_id: str) -> str:
        """See the contract."""
        with self._translated(f"log the model {name!r}"):
            self._client.get_run(run_id)
            logged, _ = self._log_model(name, package, run_id, experiment_id)
            return f"models:/{logged.model_id}"

    def annotate(self, ref: ModelRef, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """See the contract."""
        with self._translated(f"annotate {ref}"):
            self._runs.log(ref.run_id, metrics, tags, {})
            for key, value in tags.items():
                self._client.set_model_version_tag(ref.name, str(ref.version), stored_name(key), value)

    def tags(self, ref: ModelRef) -> Mapping[str, str]:
        """See the contract."""
        with self._translated(f"read {ref}"):
            return dict(self._client.get_model_version(ref.name, str(ref.version)).tags)

    def facts(self, ref: ModelRef) -> VersionFacts:
        """See the contract."""
        with self._translated(f"read {ref}"):
            stored = self._client.get_model_version(ref.name, str(ref.version))
            aliases = self._client.get_registered_model(ref.name).aliases
            pointing = tuple(sorted(alias for alias, to in aliases.items() if int(to) == ref.version))
            return facts_of(_ref(stored), stored, pointing, self._client.get_run(stored.run_id))

    def adopt(self, ref: ModelRef) -> None:
        """See the contract."""
        with self._translated(f"adopt {ref}"):
            if TAG_FILES in self.tags(ref):
                return
            with tempfile.TemporaryDirectory(prefix="sparkml-model-") as scratch:
                folder = self._copy(ref, Path(scratch))
                read_signature(folder)
                files = json.dumps(digest_files(folder))
            self._client.set_model_version_tag(ref.name, str(ref.version), TAG_FILES, files)

    def describe(self, ref: ModelRef, text: str) -> None:
        """See the contract."""
        with self._translated(f"describe {ref}"):
            self._client.update_model_version(ref.name, str(ref.version), clipped(text, _MAX_DESCRIPTION))

    def names(self) -> tuple[str, ...]:
        """See the contract."""
        found, token = list[str](), None
        with self._translated("list the models"):
            while True:
                page = self._client.search_registered_models(page_token=token)
                found += [str(each.name) for each in page]
                token = page.token
                if not token:
                    return tuple(sorted(found))

    def versions(self, name: str) -> tuple[ModelRef, ...]:
        """See the contract."""
        with self._translated(f"list the versions of the model {name!r}"):
            return tuple(sorted(map(_ref, self._versions(name)), key=lambda ref: ref.version))

    def version(self, name: str, version: int) -> ModelRef:
        """See the contract."""
        with self._translated(f"find version {version} of the model {name!r}"):
            return _ref(self._client.get_model_version(name, str(version)))

    def alias(self, name: str, alias: str) -> ModelRef | None:
        """See the contract."""
        with self._translated(f"look up the alias {alias!r} of the model {name!r}"):
            model = self._find_model(name)
        if model is None or alias not in model.aliases:
            return None
        return self.version(name, int(model.aliases[alias]))

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See the contract."""
        with self._translated(f"point the alias {alias!r} of the model {name!r} to version {version}"):
            self._client.set_registered_model_alias(name, alias, str(version))

    def move_alias(self, name: str, alias: str, expected: ModelRef | None, version: int) -> bool:
        """See the contract."""
        with self._translated(f"move the alias {alias!r} of the model {name!r}"), alone(self._full_uri):
            if self.alias(name, alias) != expected:
                return False
            self._client.set_registered_model_alias(name, alias, str(version))
            found = self.alias(name, alias)
        return found is not None and found.version == version

    def tagged(self, name: str, tag: str) -> Mapping[int, str]:
        """See the contract."""
        with self._translated(f"read the versions of the model {name!r}"):
            key = stored_name(tag)
            return {int(each.version): each.tags[key] for each in self._versions(name) if key in each.tags}

    def drop_alias(self, name: str, alias: str) -> None:
        """See the contract."""
        with self._translated(f"drop the alias {alias!r} of the model {name!r}"):
            if self._find_model(name) is not None:
                self._client.delete_registered_model_alias(name, alias)

    def signature(self, ref: ModelRef) -> Signature:
        """See the contract."""
        with self._translated(f"read the signature of {ref}"), self._files(ref) as folder:
            return read_signature(folder)

    def carried(self, ref: ModelRef) -> CarriedFeatures | None:
        """See the contract."""
        with self._translated(f"read the features of {ref}"), self._files(ref) as folder:
            return read_carried(folder)

    def load(self, ref: ModelRef) -> object:
        """See the contract."""
        with self._translated(f"load {ref}"), self._files(ref) as folder:
            return read_model(folder, self._formats)

    @contextmanager
    def files(self, ref: ModelRef) -> Iterator[Path | None]:
        """See the contract."""
        with ExitStack() as stack:
            with self._translated(f"read the files of {ref}"):
                folder = stack.enter_context(self._files(ref))
            yield folder

    def close(self) -> None:
        """MLflow keeps its stores by URI for the process; nothing to let go of."""

    @contextmanager
    def _files(self, ref: ModelRef) -> Iterator[Path]:
        """A checked copy of the files of a version, for as long as the block runs."""
        recorded = self.tags(ref).get(TAG_FILES)
        if recorded is None:
            raise RegistryError(
                f"{ref} has no recorded digests (tag {TAG_FILES}), so its files cannot be checked; where you trust "
                f"them as they are now, take them in: sparkml-track models adopt {ref.name}/{ref.version}"
            )
        with tempfile.TemporaryDirectory(prefix="sparkml-model-") as scratch:
            # The copy is what is checked and what is loaded: nobody can change it between the two.
            folder = self._copy(ref, Path(scratch))
            check_files(folder, json.loads(recorded), str(ref))
            yield folder

    def _copy(self, ref: ModelRef, scratch: Path) -> Path:
        source = self._client.get_model_version_download_uri(ref.name, str(ref.version))
        return _copied(source, scratch / "model", self._full_uri)

    def _log_model(self, name: str, package: Package, run_id: str, experiment: str) -> tuple[Any, dict[str, str]]:
        """Logs the model under a run; gives MLflow's entity and the digests of the files."""
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus
        from mlflow.models import Model

        logged = self._client.create_logged_model(experiment, name=name, source_run_id=run_id)
        with tempfile.TemporaryDirectory(prefix="sparkml-model-") as scratch:
            folder = Path(scratch) / "model"
            ids = {"run_id": run_id, "model_id": logged.model_id, "model_uuid": logged.model_id}
            write_model(package, folder, Model(artifact_path=logged.artifact_location, **ids))
            files = digest_files(folder)
            self._client.log_model_artifacts(logged.model_id, str(folder))
        self._client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        self._client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        return logged, files

    def _create_version(self, name: str, logged: Any, run_id: str, tags: Mapping[str, str]) -> ModelRef:
        self._ensure_model(name)
        # Not "models:/<id>" as the source: MLflow's SQL store looks that up in the global tracking store.
        ids = {"source": logged.artifact_location, "run_id": run_id, "model_id": logged.model_id}
        ref = _ref(self._client.create_model_version(name, **ids, tags=tags))
        # The UI finds the version from the logged model by this tag.
        versions = json.dumps([{"name": name, "version": ref.version}])
        self._client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": versions})
        return ref

    def _versions(self, name: str) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._client.search_model_versions(f"name = '{name}'", page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _find_model(self, name: str) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def _ref(version: Any) -> ModelRef:
    return ModelRef(version.name, int(version.version), version.run_id, f"models:/{version.name}/{version.version}")


def _copied(source: str, folder: Path, tracking_uri: str) -> Path:
    """A copy of the artifacts at ``source``, inside or at ``folder``."""
    from mlflow.artifacts import download_artifacts
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    if is_local_uri(source):
        # MLflow's own download draws a progress bar for a handful of small local files.
        return Path(shutil.copytree(local_file_uri_to_path(source), folder))
    folder.mkdir()
    return Path(download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=tracking_uri))
