"""What a sweep runs in, apart from what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track.engine.loop.doorkeeper import Doorkeeper
from sparkml_track.engine.loop.ports import OutcomeListener, goes_on
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.publishing.finish import LONGEST_WAIT
from sparkml_track.engine.spec.lifecycle import LifecycleListener, unheard
from sparkml_track.engine.storage.waiting import never
from sparkml_track.refs import DataRef, TableRef

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sweep runs in, apart from what it is.

    Attributes:
        home: the state folder.
        session: the Spark session, None for executors without Spark.
        data: for the objective, by name.
        inputs: what ``data`` came from, recorded on the parent run.
        made_from: the versions of tables behind ``data``, for lineage; empty where the caller records it.
        code: folders the objective is imported from.
        origin: where the sweep was started from ("config": a file), so that a command can start it again; of a front
            door ("door") what goes on with it there. Where no call goes on with the sweep itself ("once"), what goes on
            instead: if its driver dies, its parent run is ended by the next call. Why it was begun ("why"), where that
            was not by a person.
        longest_wait: seconds for which the end of the sweep waits for a tracking store that is down.
        reached: is called at each point of the sweep's life.
        accepted: is called with each accepted trial, and may end the sweep.
        door: replies to attempts while they run; None if they do not ask.
        tags: for the parent run: code version, Spark facts.
        files: the same as artifacts, by path.
        listener: gets the progress.
        asked: whether somebody asked for the end where the progress is shown.
    """

    home: Path
    session: object | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    inputs: Sequence[DataRef] = ()
    made_from: Sequence[TableRef] = ()
    code: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    listener: ProgressListener | None = None
    asked: Callable[[], bool] = never
    origin: Mapping[str, object] = field(default_factory=dict)
    longest_wait: float = LONGEST_WAIT
    reached: LifecycleListener = unheard
    accepted: OutcomeListener = goes_on
    door: Doorkeeper | None = None
