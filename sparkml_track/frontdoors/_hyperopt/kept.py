"""The trials of a search that has a name, on disk as they change: the same call goes on after its driver died.

A file for each document, under the home. They are pickles, as what hyperopt itself saves: of the user's own objects,
from a folder of the user's own.
"""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
from hyperopt.base import JOB_STATE_CANCEL, JOB_STATE_DONE

from sparkml_track.engine.storage.held_folder import held
from sparkml_track.errors import DataError, ResumeRefused, SetupError, SpecError
from sparkml_track.frontdoors._hyperopt.search import documents
from sparkml_track.home import Home

__all__ = ["Kept", "counted", "lowest", "written_whole"]

_NAME = re.compile(r"[\w-][\w\-. ]{0,199}")
_SPACE = "space.json"
_WAY_OUT = "make it writable, or choose another home with the environment variable SPARKML_HOME"


@dataclass(frozen=True, slots=True)
class Kept:
    """The files of one search.

    Attributes:
        name: of the search.
        folder: of its files.
        proposed: the trials that are the algorithm's, not the user's own points.
    """

    name: str
    folder: Path
    proposed: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, name: object) -> Kept:
        """Raises ``SpecError`` for what cannot be a name."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SpecError(
                f"name is {name!r:.250}; allowed are at most 200 letters, digits, blanks, '-', '_' and '.', and no '.' "
                "or blank first"
            )
        return cls(name, Home.find().search(name))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other drivers out.

        Raises:
            LeaseHeld: another one has it.
            SetupError: the folder cannot be written.
        """
        with held(self.folder, f"the search {self.name!r} goes on", _WAY_OUT):
            yield

    def load(self, trials: Any) -> None:
        """Fills a ``Trials`` with what there is; what it has of these already is replaced.

        Raises:
            DataError: a file cannot be loaded.
        """
        found = [self._loaded(path) for path in sorted(self.folder.glob("*.pkl"))]
        known = {document["tid"]: document for document in documents(trials)}
        for document, attachments, proposed in found:
            if document["tid"] in known:
                known[document["tid"]].update(document)
            else:
                documents(trials).append(document)
            trials.attachments.update(attachments)
            if proposed:
                self.proposed.add(document["tid"])
        # Also of those that failed, which hyperopt would number again.
        trials._ids.update(document["tid"] for document, _, _ in found)  # noqa: SLF001
        trials.refresh()

    def save(self, trials: Any, document: dict[str, Any]) -> None:
        """Keeps a document of these trials as it is now.

        Raises:
            SetupError: it cannot be written.
        """
        prefix = f"ATTACH::{document['tid']}::"  # hyperopt's
        # A copy, as another thread may add some meanwhile.
        attachments = {name: value for name, value in dict(trials.attachments).items() if name.startswith(prefix)}
        data = cloudpickle.dumps((document, attachments, document["tid"] in self.proposed))
        try:
            written_whole(self.folder / f"{document['tid']:08d}.pkl", data)
        except OSError as error:
            raise SetupError(
                f"a trial of the search {self.name!r} cannot be kept in {self.folder} ({error.strerror or error}); "
                f"{_WAY_OUT}"
            ) from None

    def check_space(self, labels: Mapping[str, str]) -> None:
        """Looks whether the trials are of this space.

        Raises:
            ResumeRefused: they are of another one.
        """
        path, now = self.folder / _SPACE, json.dumps(labels, sort_keys=True)
        if not path.exists():
            written_whole(path, now.encode())
            return
        was = path.read_text()
        if was != now:
            raise ResumeRefused(
                f"the search {self.name!r} cannot go on, because its space is another one: it was {was[:300]}, is "
                f"{now[:300]}; undo the change, give another name, or remove {self.folder} to start anew"
            )

    def _loaded(self, path: Path) -> tuple[dict[str, Any], dict[str, Any], bool]:
        try:
            document, attachments, proposed = pickle.loads(path.read_bytes())  # noqa: S301 - see the head
            document["tid"]
        except Exception as error:  # noqa: BLE001 - whatever is in a pickle
            raise DataError(
                f"a trial of the search {self.name!r} cannot be loaded from {path} ({type(error).__name__}: {error}); "
                "remove this file to go on without the trial"
            ) from None
        return document, attachments, proposed


def counted(trials: Any) -> int:
    """Trials that count against ``max_evals`` of a search with a name: all but those that were cancelled."""
    return sum(document["state"] != JOB_STATE_CANCEL for document in documents(trials))


def lowest(trials: Any) -> float | None:
    """The least loss so far."""
    results = [document["result"] for document in documents(trials) if document["state"] == JOB_STATE_DONE]
    return min((result["loss"] for result in results if result.get("status") == "ok"), default=None)


def written_whole(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all, whenever this process ends. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
