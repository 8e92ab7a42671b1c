"""A journal made anew from the child runs of a sweep, for when it is gone with the disk it was on."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from itertools import islice, product
from pathlib import Path

from sparkml_track import schema
from sparkml_track.engine.identity.fingerprint import Fingerprint, part_digests
from sparkml_track.engine.records.types import Asked, JournalRecord, Parent, Published, Submitted
from sparkml_track.engine.results.records import accepted, values_of
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.seeds import trial_seed
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.engine.storage.shared_folders import artifacts_of
from sparkml_track.errors import ResumeRefused, SpaceError
from sparkml_track.journals import sweeps
from sparkml_track.space import Space, flatten
from sparkml_track.trackers import StoredChild, StoredParent, open_tracker
from sparkml_track.trial import AttemptId, Trial

__all__ = ["params_of", "rebuilt"]

_READINGS = 4096  # of one set of parameters as text


def rebuilt(spec: Spec, home: Path, prints: Fingerprint) -> tuple[int, list[JournalRecord]]:
    """The seed of a sweep and the records that its child runs stand for.

    Times of single trials and reports stay in the tracking store alone.

    Raises:
        ResumeRefused: the store has no such sweep, or it was made of something else.
        TrackingError: the store cannot be read.
    """
    with closing(open_tracker(spec.tracking.uri, home)) as tracker:
        run_id = tracker.find(spec.resume)
        if run_id is None:
            known = ", ".join(entry.sweep for entry in sweeps(home)[:10]) or "none"
            raise ResumeRefused(
                f"there is no sweep {spec.resume!r}: no journal under {home} and no parent run in {tracker.uri}; "
                f"sweeps here: {known}"
            )
        parent = tracker.parent(run_id)
        seed = int(parent.params.get("seed", spec.seed))
        _refuse_another(parent, spec, prints, seed)
        children = sorted(tracker.children(run_id), key=lambda child: child.number)
    records: list[JournalRecord] = [Parent(run_id, parent.experiment_id)]
    for child in {child.number: child for child in children}.values():
        records += _records(child, spec, seed)
    return seed, records


def _refuse_another(parent: StoredParent, spec: Spec, prints: Fingerprint, seed: int) -> None:
    was = json.loads(parent.tags.get(schema.TAG_FINGERPRINT, "{}"))
    now = {**prints, "spec": {**prints["spec"], "seed": prints["spec"]["seed"]}}
    # As in a journal, a part that an earlier release did not know is not a difference.
    digests: dict[str, str] = json.loads(part_digests(now))
    other = [part for part, digest in digests.items() if was.get(part, "" if not was else digest) != digest]
    if not spec.seed_drawn and seed != spec.seed:
        other.append(f"seed (was {seed}, is {spec.seed})")
    if other:
        raise ResumeRefused(
            f"sweep {spec.resume!r} cannot go on, because it is not the same any more: {', '.join(other)} changed "
            "(its journal is gone, so there is no more to say). Undo the change, or start anew with resume='never'"
        )


def _records(child: StoredChild, spec: Spec, seed: int) -> Iterator[JournalRecord]:
    number = child.number
    trial = Trial(number, params_of(spec.space, child.params), trial_seed(seed, number))
    yield Asked(number, trial.params, trial.seed)
    for unit in range(spec.units.count):
        yield Submitted(AttemptId(number, unit, child.attempts))
    if child.state.terminal:
        metrics = dict(child.metrics)
        # A tag, which anybody may write, says that there is a folder; which one, as it may be removed, is said here.
        root = artifacts_of(spec.tracking.artifact_root, spec.resume)
        artifacts = (
            str(root / str(AttemptId(number, 0, child.attempts))) if root is not None and child.artifacts else ""
        )
        result = Result(
            number=number,
            params=trial.params,
            state=child.state,
            metrics=metrics,
            value=values_of(child.state, metrics, spec.metric),
            attempts=child.attempts,
            reason=child.reason,
            artifacts=artifacts,
            usage=child.usage,
        )
        yield accepted(result, "", artifacts)
        yield Published((number,))


def params_of(space: Space, texts: Mapping[str, str]) -> dict[str, object]:
    """Parameters from their recorded text, by the space: "1" is a number where the space has one.

    Names that the space does not have were logged by the trial, and are left out.

    Raises:
        ResumeRefused: they are not of this space.
    """
    known = {*space.names}
    texts = {name: text for name, text in texts.items() if name in known}
    readings = [[(name, value) for value in _values(text)] for name, text in texts.items()]
    fits = []
    for reading in islice(product(*readings), _READINGS):
        with suppress(SpaceError):
            params = space.from_point(dict(reading))
            if {name: str(value) for name, value in flatten(params).items()} == dict(texts):
                fits.append(params)
                break
    if not fits:
        raise ResumeRefused(f"the recorded parameters {dict(texts)} are not of the space {space.tree}")
    return fits[0]


def _values(text: str) -> list[object]:
    """What a text may stand for."""
    values: list[object] = [text]
    with suppress(ValueError, SyntaxError):
        values.insert(0, ast.literal_eval(text))
    return values
