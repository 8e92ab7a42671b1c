"""How records of a sweep travel in the journal: the one place that knows kinds and keys.

The keys are short where a sweep has many records of a kind: ``n`` is a trial's number, or several; ``a`` an attempt's
id, ``k`` how many attempts there were, ``t`` a time, ``d`` a duration. What is empty is left out where that is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import assert_never

from sparkml_track.engine.records import fields as get
from sparkml_track.engine.records.outcomes import accepted, accepted_body, attempt, state, unit, unit_body
from sparkml_track.engine.records.run_logs import log_body, log_of
from sparkml_track.engine.records.types import (
    Accepted,
    Asked,
    BestTrial,
    Ended,
    Extended,
    JournalRecord,
    Late,
    Logged,
    Lost,
    OfSweep,
    Parent,
    Plan,
    PlannedSpec,
    Published,
    Reported,
    Retried,
    Submitted,
    Suggested,
    UnitAccepted,
)
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.goal import goals_of
from sparkml_track.trial import Counts

__all__ = ["decode", "encode", "planned_spec"]

Body = Mapping[str, object]


def encode(record: JournalRecord) -> tuple[str, dict[str, object]]:
    """Kind and body of a record. A few microseconds: the loop does this some times for each trial."""
    match record:
        case Asked() | Suggested():
            return _params_body(record)
        case Submitted():
            return "submitted", {"a": str(record.attempt)}
        case Accepted():
            return "accepted", accepted_body(record)
        case UnitAccepted():
            return "unit", unit_body(record)
        case Reported():
            metrics = dict(record.metrics)
            return "reported", {"a": str(record.attempt), "step": record.step, "metrics": metrics, "t": record.time}
        case Logged():
            return "logged", _logged_body(record)
        case Lost():
            body: dict[str, object] = {"a": str(record.attempt), "why": record.message, "charged": record.charged}
            return "lost", body | {"host": record.host, "t": record.time}
    return _encode_of_sweep(record)


def _params_body(record: Asked | Suggested) -> tuple[str, dict[str, object]]:
    body: dict[str, object] = {"n": record.number, "params": record.params}
    return ("asked", body | {"seed": record.seed}) if isinstance(record, Asked) else ("suggested", body)


def decode(kind: str, body: Body) -> JournalRecord | None:
    """The inverse of ``encode``; None for kinds of later releases.

    Args:
        kind: any text.
        body: as it was read from JSON.

    Raises:
        ValueError: the body is not one of this kind; says which field is wrong.
    """
    read = _READERS.get(kind)
    if read is None:
        return None
    try:
        if not isinstance(body, dict):
            raise ValueError(f"the body is {body!r:.40}; allowed is an object")
        return read(body)
    except ValueError as error:
        raise ValueError(f"a record of kind {kind!r} is not as this release writes it ({error})") from error


# -- writing


def _logged_body(record: Logged) -> dict[str, object]:
    return {"a": str(record.attempt)} | log_body(record.log)


def _encode_of_sweep(record: OfSweep) -> tuple[str, dict[str, object]]:
    match record:
        case Published():
            return "published", {"n": list(record.numbers)}
        case Late():
            return "late", {"n": record.answers}
        case Extended():
            return "extended", {"max_trials": record.max_trials}
        case Retried():
            return "retried", {"n": list(record.numbers)}
        case Parent():
            return "parent", _parent_body(record)
        case Plan():
            body: dict[str, object] = {"name": record.name, "t": record.time, "spec": record.spec.described}
            return "plan", body | {"fingerprint": record.fingerprint, "origin": dict(record.origin)}
        case Ended():
            return "ended", _ended_body(record)
    assert_never(record)


def _parent_body(record: Parent) -> dict[str, object]:
    body: dict[str, object] = {"run": record.run_id, "experiment": record.experiment_id}
    if record.time is not None:
        body["t"] = record.time
    if record.time is not None or record.behind is not None:
        body["behind"] = record.behind
    return body


def _ended_body(record: Ended) -> dict[str, object]:
    best = None if record.best is None else {"n": record.best.number, "value": list(record.best.value)}
    body: dict[str, object] = {"state": record.state.value, "digest": record.digest, "counts": asdict(record.counts)}
    body |= {"best": best, "run": record.run_id, "t": record.time, "stale": record.stale}
    more: dict[str, object] = {"idle": record.idle, "why": record.why or None}
    return body | {name: value for name, value in more.items() if value is not None}


# -- reading


def planned_spec(described: Body) -> PlannedSpec:
    """What a plan says of the spec.

    Args:
        described: as ``Spec.plan`` gives it.

    Raises:
        ValueError: something is missing.
    """
    tracking, failures = get.mapping(described, "tracking"), get.mapping(described, "failures")
    return PlannedSpec(
        goals=goals_of(get.texts(described, "metric"), get.texts(described, "direction")),
        max_trials=get.optional_whole(described, "max_trials"),
        seed=get.whole(described, "seed"),
        tracking=Tracking(
            uri=get.optional_text(tracking, "uri"),
            child_runs=get.text(tracking, "child_runs"),
            # Release 0.1.0 kept all, and did not say so; nor did it have roots.
            keep=get.optional_text(tracking, "keep") or "all",
            artifact_root=get.optional_text(tracking, "artifact_root"),
            nested=get.optional_text(tracking, "nested") or "keep",
            slot_hour_price=get.optional_number(tracking, "slot_hour_price"),
        ),
        checkpoint_root=get.optional_text(failures, "checkpoint_root"),
        described=described,
        units=get.whole(get.mapping(described, "units"), "count") if "units" in described else 1,
    )


def _plan(body: Body) -> Plan:
    prints = get.mapping(body, "fingerprint")
    return Plan(
        name=get.text(body, "name"),
        time=get.number(body, "t"),
        spec=planned_spec(get.mapping(body, "spec")),
        fingerprint={part: get.mapping(prints, part) for part in prints},
        origin=get.mapping(body, "origin"),
    )


def _parent(body: Body) -> Parent:
    time = get.number(body, "t") if "t" in body else None
    return Parent(get.text(body, "run"), get.text(body, "experiment"), time, get.optional_whole(body, "behind"))


def _asked(body: Body) -> Asked:
    return Asked(get.whole(body, "n"), get.mapping(body, "params"), get.whole(body, "seed"))


def _logged(body: Body) -> Logged:
    return Logged(attempt(body), log_of(body))


def _reported(body: Body) -> Reported:
    return Reported(attempt(body), get.whole(body, "step"), get.metrics(body, "metrics"), get.number(body, "t"))


def _lost(body: Body) -> Lost:
    charged = get.flag(body, "charged")
    return Lost(attempt(body), get.text(body, "why"), charged, get.text(body, "host"), get.number(body, "t"))


_COUNTS = tuple(each.name for each in fields(Counts))


def _ended(body: Body) -> Ended:
    counts = get.mapping(body, "counts")
    best = None if body.get("best") is None else get.mapping(body, "best")
    return Ended(
        state=state(body),
        digest=get.text(body, "digest"),
        counts=Counts(**{name: get.whole(counts, name) for name in _COUNTS}),
        best=None if best is None else BestTrial(get.whole(best, "n"), get.numbers(best, "value")),
        run_id=get.text(body, "run"),
        time=get.number(body, "t"),
        stale=get.whole(body, "stale"),
        idle=get.optional_number(body, "idle"),
        why=get.optional_text(body, "why") or "",
    )


_READERS: Mapping[str, Callable[[Body], JournalRecord]] = {
    "plan": _plan,
    "parent": _parent,
    "asked": _asked,
    "suggested": lambda body: Suggested(get.whole(body, "n"), get.mapping(body, "params")),
    "submitted": lambda body: Submitted(attempt(body)),
    "reported": _reported,
    "logged": _logged,
    "lost": _lost,
    "unit": unit,
    "accepted": accepted,
    "extended": lambda body: Extended(get.whole(body, "max_trials")),
    "retried": lambda body: Retried(get.wholes(body, "n")),
    "late": lambda body: Late(get.whole(body, "n")),
    "published": lambda body: Published(get.wholes(body, "n")),
    "ended": _ended,
}
