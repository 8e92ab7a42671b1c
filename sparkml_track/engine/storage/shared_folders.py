"""What a sweep leaves under ``checkpoint_root`` and ``artifact_root``: made by executors and slots, removed here.

    <checkpoint_root>/<sweep>.checkpoints/<unit>   a folder of a unit; goes when its trial has ended
    <artifact_root>/<sweep>/<attempt>              a folder of an attempt; stays if its outcome was accepted

Nothing else under a root is touched, and no link is followed. Trials that a resumed sweep executes again, because an
interrupt ended them, keep their checkpoints.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sparkml_track.engine.records.types import PlannedSpec
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.roots import ALLOWED
from sparkml_track.engine.storage.waiting import Hurried, Hurry, never, patiently
from sparkml_track.errors import JournalError, LeaseHeld, SpecError
from sparkml_track.slot.host.paths import MARK
from sparkml_track.slot.host.trees import remove_tree
from sparkml_track.trial import AttemptId, State, Unit

__all__ = ["Roots", "artifacts_of", "check_roots"]

_log = logging.getLogger(__name__)


def artifacts_of(artifact_root: str | None, sweep: str) -> Path | None:
    """The folder of a sweep's artifacts, None without a root."""
    return None if artifact_root is None else Path(artifact_root, sweep)


def check_roots(checkpoint_root: str | None, artifact_root: str | None) -> None:
    """Makes roots that are missing and writes to each.

    Raises:
        SpecError: the driver cannot write there; names both.
    """
    roots = {"failures.checkpoint_root": checkpoint_root, "tracking.artifact_root": artifact_root}
    found = [_unwritable(name, root) for name, root in roots.items() if root is not None]
    problems = [problem for problem in found if problem]
    if problems:
        raise SpecError(*problems)


def _unwritable(name: str, root: str) -> str:
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as probe:
            probe.write(b"\0")
    except OSError as error:
        return f"{name} is {root!r}, which the driver cannot write ({error.strerror or error}); allowed is {ALLOWED}"
    return ""


class Roots:
    """The folders of one sweep. Threads: one, but for the removal, which has its own: storage may be slow.

    Args:
        sweep: its id.
        checkpoint_root: None for checkpoints that stay on their host.
        artifact_root: None for artifacts that are sent to the driver.
        units: how many a trial has.

    Attributes:
        checkpoints: folder of this sweep, None without a root.
        artifacts: likewise.
    """

    def __init__(self, sweep: str, checkpoint_root: str | None, artifact_root: str | None, units: int = 1) -> None:
        self._units = units
        # Another name than that of the artifacts, as both may have the same root.
        self.checkpoints = None if checkpoint_root is None else Path(checkpoint_root, f"{sweep}.checkpoints")
        self.artifacts = artifacts_of(artifact_root, sweep)
        self._seen = self._done = 0
        self._gone: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._warned = False
        if self.checkpoints is not None:
            threading.Thread(target=self._serve, name="sparkml-checkpoints", daemon=True).start()

    @classmethod
    def of(cls, sweep: str, begun: PlannedSpec) -> Roots:
        """Those of a sweep by the plan in its journal."""
        return cls(sweep, begun.checkpoint_root, begun.tracking.artifact_root, begun.units)

    def look(self, results: Sequence[Result]) -> None:
        """Removes checkpoints of trials that ended since; called now and then with all results.

        What came since the last call waits for the next one: by then the journal has it on disk.
        """
        if self.checkpoints is None:
            return
        for result in results[self._done : self._seen]:
            if not result.interrupted:
                for index in range(self._units):
                    self._gone.put(self.checkpoints / Unit(result.number, index).name)
        self._done, self._seen = self._seen, len(results)

    @contextlib.contextmanager
    def left_by(self, results: Sequence[Result], state: State, hurry: Hurry = never) -> Iterator[None]:
        """Closes after what is done within, in which the last attempts end; not if another driver has the sweep.

        Args:
            results: see ``close``, as are the others.
            state: of the parent run.
            hurry: ends the waiting.
        """
        try:
            yield
        except (JournalError, LeaseHeld):
            raise
        except BaseException:
            self.close(results, state, hurry)
            raise
        self.close(results, state, hurry)

    def leave(self, kind: type[BaseException] | None, *_: object) -> None:
        """As ``__exit__``: what a sweep that could not begin has made goes, unless another driver has it."""
        self._stop()
        for folder in filter(None, (self.checkpoints, self.artifacts)):
            if not (kind and issubclass(kind, JournalError | LeaseHeld)) and _names(folder) == [MARK]:
                _unmake(folder)

    def _stop(self) -> None:
        self._closed.set()
        self._gone.put(None)

    def close(self, results: Iterable[Result], state: State, hurry: Hurry = never) -> None:
        """Removes what the sweep leaves to nobody, once no attempt runs any more.

        Args:
            results: all that were accepted.
            state: of the parent run; a FINISHED sweep is not gone on with.
            hurry: ends the waiting.
        """
        self._stop()
        by_number = {result.number: result for result in results}
        with contextlib.suppress(Hurried):
            patiently(lambda: self._clean(by_number, state), hurry)

    def _clean(self, results: Mapping[int, Result], state: State) -> None:
        left_artifacts = _left_artifacts if self._units == 1 else _left_attempts
        for folder, left in ((self.checkpoints, _left_checkpoints), (self.artifacts, left_artifacts)):
            if folder is not None and not folder.is_symlink():
                for name in left(_names(folder), results, state):
                    self._remove(folder / name)
                _unmake(folder)

    def _serve(self) -> None:
        while not self._closed.is_set():
            path = self._gone.get()
            if path is not None:
                self._remove(path)

    def _remove(self, path: Path) -> None:
        left = remove_tree(str(path))
        if left and not self._warned:
            self._warned = True
            _log.warning("%s cannot be removed, and maybe others (%s); remove it by hand", path, left)


def _left_checkpoints(names: Iterable[str], results: Mapping[int, Result], state: State) -> Iterator[str]:
    """All of a sweep that has ended for good; else those of trials that have."""
    for name in names:
        if re.fullmatch(r"\d+\.\d+", name):
            result = results.get(int(name.partition(".")[0]))
            if state is State.FINISHED or (result is not None and not result.interrupted):
                yield name


def _left_artifacts(names: Iterable[str], results: Mapping[int, Result], _: State) -> Iterator[str]:
    """Those of attempts that were lost or given up."""
    for name in names:
        if re.fullmatch(r"\d+\.\d+\.\d+", name):
            attempt = AttemptId.parse(name)
            result = results.get(attempt.trial)
            if result is None or result.attempts != attempt.number or (result.interrupted and not result.artifacts):
                yield name


def _left_attempts(names: Iterable[str], _: Mapping[int, Result], __: State) -> Iterator[str]:
    """Those of all attempts: what units left that were accepted has the trial's folder."""
    return (name for name in names if re.fullmatch(r"\d+\.\d+\.\d+", name))


def _unmake(folder: Path) -> None:
    """Removes a folder with its mark, or the mark alone if something stays in the folder."""
    with contextlib.suppress(OSError):
        (folder / MARK).unlink()
        folder.rmdir()


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:  # never made, or the storage is away
        return []
