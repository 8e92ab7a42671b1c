"""Every record of a sweep comes back from the journal as it was written, and its bytes stay what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sparkml_track import schema
from sparkml_track.engine.records.codec import decode, encode, planned_spec
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
    Parent,
    Plan,
    Published,
    Reported,
    Retried,
    Submitted,
    Suggested,
    UnitAccepted,
)
from sparkml_track.goal import DIRECTIONS
from sparkml_track.journals import _lines
from sparkml_track.trial import AttemptId, Counts, LoggedMetric, NestedRun, RunLog, State, Usage

WHOLE = some.integers(0, 2**53)
NUMBER = some.floats()
TEXT = some.text(max_size=20)
PLAIN = some.none() | some.booleans() | some.integers(-(2**63), 2**63) | NUMBER | TEXT
JSON = some.recursive(
    PLAIN, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3), max_leaves=5
)
ATTEMPT = some.builds(AttemptId, *[some.integers(0, 10**17)] * 3)
METRICS = some.dictionaries(TEXT, NUMBER, max_size=3)
NUMBERS = some.lists(WHOLE, max_size=4).map(tuple)
OBJECT = some.dictionaries(TEXT, JSON, max_size=3)
STATE = some.sampled_from(State)
USAGE = some.builds(Usage, some.none() | NUMBER.map(float), some.none() | WHOLE)
COUNTS = some.builds(Counts, *[WHOLE] * 7)
BEST = some.builds(BestTrial, WHOLE, some.lists(NUMBER, max_size=2).map(tuple))
SPEC = some.fixed_dictionaries(
    {
        "metric": some.lists(TEXT, min_size=2, max_size=2),
        "direction": some.lists(some.sampled_from(DIRECTIONS), min_size=2, max_size=2),
        "max_trials": some.none() | WHOLE,
        "seed": WHOLE,
        "failures": some.fixed_dictionaries({"retries": WHOLE, "checkpoint_root": some.none() | TEXT}),
        "tracking": some.fixed_dictionaries(
            {
                "uri": some.none() | TEXT,
                "child_runs": TEXT,
                "keep": some.text(min_size=1, max_size=9),
                "artifact_root": some.none() | TEXT,
                "slot_hour_price": some.none() | NUMBER,
            }
        ),
        "space": OBJECT,
    }
).map(planned_spec)

_LOG = (
    some.dictionaries(TEXT, TEXT, max_size=3),
    some.lists(some.builds(LoggedMetric, TEXT, NUMBER.map(float), WHOLE, NUMBER.map(float)), max_size=3),
    some.dictionaries(TEXT, TEXT, max_size=3),
    some.lists(OBJECT, max_size=2),
    some.lists(OBJECT, max_size=2),
)
FLOAT = NUMBER.map(float)
NESTED = some.builds(NestedRun, TEXT, TEXT, TEXT, FLOAT, FLOAT, TEXT, some.builds(RunLog, *_LOG))
LOG = some.builds(RunLog, *_LOG, some.lists(NESTED, max_size=2).map(tuple))

RECORDS: dict[type, some.SearchStrategy[Any]] = {
    Asked: some.builds(Asked, WHOLE, OBJECT, WHOLE),
    Suggested: some.builds(Suggested, WHOLE, OBJECT),
    Submitted: some.builds(Submitted, ATTEMPT),
    Reported: some.builds(Reported, ATTEMPT, WHOLE, METRICS, NUMBER),
    Logged: some.builds(Logged, ATTEMPT, LOG),
    Lost: some.builds(Lost, ATTEMPT, TEXT, some.booleans(), TEXT, NUMBER),
    UnitAccepted: some.builds(
        UnitAccepted, ATTEMPT, STATE, METRICS, NUMBER, NUMBER, TEXT, TEXT, TEXT, TEXT, TEXT, some.booleans(), USAGE
    ),
    Accepted: some.builds(
        Accepted,
        *(WHOLE, STATE, METRICS, WHOLE, NUMBER, NUMBER),
        *(TEXT, TEXT, TEXT, TEXT, TEXT, some.booleans()),
        some.none() | NUMBER,
        some.lists(some.tuples(WHOLE, TEXT), max_size=2).map(tuple),
        USAGE,
    ),
    Plan: some.builds(Plan, TEXT, NUMBER, SPEC, some.dictionaries(TEXT, OBJECT, max_size=3), OBJECT),
    Parent: some.builds(Parent, TEXT, TEXT, some.none() | NUMBER, some.none() | WHOLE),
    Retried: some.builds(Retried, NUMBERS),
    Extended: some.builds(Extended, WHOLE),
    Published: some.builds(Published, NUMBERS),
    Late: some.builds(Late, WHOLE),
    Ended: some.builds(Ended, STATE, TEXT, COUNTS, some.none() | BEST, TEXT, NUMBER, WHOLE, some.none() | NUMBER, TEXT),
}


def through_a_line(record: JournalRecord) -> JournalRecord | None:
    return decode(*_lines.decode(_lines.encode(*encode(record))))


def types() -> set[type]:
    return set(get_args(JournalRecord))


@given(some.one_of(*RECORDS.values()))
def test_what_is_written_comes_back(record: JournalRecord) -> None:
    # As text, since nan differs from itself.
    assert repr(through_a_line(record)) == repr(record)


def test_there_is_a_record_for_each_kind() -> None:
    assert RECORDS.keys() == types()
    assert {type(record): kind for record, kind, _ in PINNED}.keys() == types()
    assert {kind for _, kind, _ in PINNED} == schema.RECORDS


DESCRIBED: dict[str, object] = {
    "metric": ["loss"],
    "direction": ["minimize"],
    "max_trials": 5,
    "seed": 7,
    "failures": {"retries": 2, "checkpoint_root": None},
    "tracking": {"uri": None, "child_runs": "all", "keep": "all", "artifact_root": None},
}
FIRST = AttemptId(7, 0, 2)
BARE = Accepted(7, State.FINISHED, {"loss": 0.5}, 1, 100.0, 2.0, "h")
END = Ended(State.FINISHED, "d", Counts(5, 5), BestTrial(3, (0.5,)), "r", 9.0, 0)

#: Written by hand, never by the codec: what journals of this format hold.
PINNED: list[tuple[JournalRecord, str, str]] = [
    (
        Plan("s", 1.5, planned_spec(DESCRIBED), {"spec": {"seed": 7}}, {"config": "c"}),
        "plan",
        (
            '{"name":"s","t":1.5,"spec":{"metric":["loss"],"direction":["minimize"],"max_trials":5,"seed":7,'
            '"failures":{"retries":2,"checkpoint_root":null},'
            '"tracking":{"uri":null,"child_runs":"all","keep":"all","artifact_root":null}},'
            '"fingerprint":{"spec":{"seed":7}},"origin":{"config":"c"}}'
        ),
    ),
    (Parent("r", "1", 1.5, None), "parent", '{"run":"r","experiment":"1","t":1.5,"behind":null}'),
    (Parent("r", "1"), "parent", '{"run":"r","experiment":"1"}'),
    (Asked(7, {"x": 1.5}, 3), "asked", '{"n":7,"params":{"x":1.5},"seed":3}'),
    (Suggested(7, {"x": 1}), "suggested", '{"n":7,"params":{"x":1}}'),
    (Submitted(FIRST), "submitted", '{"a":"7.0.2"}'),
    (Reported(FIRST, 4, {"loss": 1.0}, 2.5), "reported", '{"a":"7.0.2","step":4,"metrics":{"loss":1.0},"t":2.5}'),
    (Logged(FIRST, RunLog({"a": "1"}, [], {}, [], [])), "logged", '{"a":"7.0.2","params":{"a":"1"}}'),
    (
        Logged(
            FIRST, RunLog(metrics=[LoggedMetric("m", 0.5, 1, 2.5)], tags={"t": "u"}, inputs=[{"name": "d"}], models=[])
        ),
        "logged",
        '{"a":"7.0.2","tags":{"t":"u"},"inputs":[{"name":"d"}],"metrics":[["m",0.5,1,2.5]]}',
    ),
    (
        Lost(FIRST, "gone", True, "h", 2.5),
        "lost",
        '{"a":"7.0.2","why":"gone","charged":true,"host":"h","t":2.5}',
    ),
    (BARE, "accepted", '{"n":7,"state":"finished","metrics":{"loss":0.5},"k":1,"t":100.0,"d":2.0,"host":"h"}'),
    (
        replace(BARE, reason="signal", message="m", log="l", artifacts="/a", in_place=True),
        "accepted",
        (
            '{"n":7,"state":"finished","metrics":{"loss":0.5},"k":1,"t":100.0,"d":2.0,"host":"h",'
            '"why":"signal","message":"m","log":"l","artifacts":"/a","in_place":true}'
        ),
    ),
    (
        replace(BARE, busy=4.5, failed_units=((2, "m"),)),
        "accepted",
        (
            '{"n":7,"state":"finished","metrics":{"loss":0.5},"k":1,"t":100.0,"d":2.0,"host":"h",'
            '"busy":4.5,"failed":[[2,"m"]]}'
        ),
    ),
    (
        UnitAccepted(AttemptId(7, 3, 2), State.FINISHED, {"loss": 0.5}, 100.0, 2.0, "h"),
        "unit",
        '{"a":"7.3.2","state":"finished","metrics":{"loss":0.5},"t":100.0,"d":2.0,"host":"h"}',
    ),
    (
        UnitAccepted(FIRST, State.FAILED, {}, 100.0, 2.0, "h", "signal", "m", "l", "/a", True),
        "unit",
        (
            '{"a":"7.0.2","state":"failed","metrics":{},"t":100.0,"d":2.0,"host":"h",'
            '"why":"signal","message":"m","log":"l","artifacts":"/a","in_place":true}'
        ),
    ),
    (Extended(40), "extended", '{"max_trials":40}'),
    (Retried((1, 2)), "retried", '{"n":[1,2]}'),
    (Published((1, 2)), "published", '{"n":[1,2]}'),
    (Late(3), "late", '{"n":3}'),
    (
        END,
        "ended",
        (
            '{"state":"finished","digest":"d","counts":{"planned":5,"finished":5,"pruned":0,"failed":0,"killed":0,'
            '"running":0,"not_started":0},"best":{"n":3,"value":[0.5]},"run":"r","t":9.0,"stale":0}'
        ),
    ),
    (
        replace(END, best=None, why="w", idle=4.5),
        "ended",
        (
            '{"state":"finished","digest":"d","counts":{"planned":5,"finished":5,"pruned":0,"failed":0,"killed":0,'
            '"running":0,"not_started":0},"best":null,"run":"r","t":9.0,"stale":0,"idle":4.5,"why":"w"}'
        ),
    ),
]


@pytest.mark.parametrize(("record", "kind", "body"), PINNED)
def test_the_bytes_are_those_of_format_1(record: JournalRecord, kind: str, body: str) -> None:
    assert _lines.encode(*encode(record)).decode() == f'["{kind}",{body}]'
    assert through_a_line(record) == record


def test_kinds_of_later_releases_are_none() -> None:
    assert decode("dreamt", {"n": 1}) is None


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("asked", {"n": True}, r"'asked' .*\(n is True; allowed is a whole number\)"),
        ("asked", {"params": [1]}, r"params is \[1\]; allowed is a mapping"),
        ("submitted", {"a": "7.0"}, r"'submitted' .*\(a: '7.0' is not an attempt's id"),
        ("reported", {"metrics": {"loss": "low"}}, "'reported' .*loss is 'low'; allowed is a number"),
        ("reported", {"t": 10**400}, "t is 1000.*; allowed is a number"),
        ("lost", {"charged": "yes"}, "charged is 'yes'; allowed is true or false"),
        ("accepted", {"state": "odd"}, "state: 'odd' is not a valid State"),
        ("accepted", {"host": None}, "host is None; allowed is text"),
        ("accepted", {"failed": [[1]]}, r"failed has \[1\]; allowed is a list of 2 values"),
        ("unit", {"a": 7}, "a is 7; allowed is text"),
        ("retried", {"n": 3}, "n is 3; allowed is a list"),
        ("ended", {"counts": {"planned": 1}}, "finished is missing"),
        ("ended", {"idle": "long"}, "idle is 'long'; allowed is a number"),
        ("plan", {"spec": {**DESCRIBED, "metric": [1]}}, r"'plan' .*\(metric is 1; allowed is text"),
        ("plan", {"spec": {}}, "tracking is missing"),
        ("plan", {"fingerprint": {"spec": 1}}, "spec is 1; allowed is a mapping"),
    ],
)
def test_a_body_that_is_not_of_its_kind_is_refused_with_kind_and_field(
    kind: str, change: dict[str, object], said: str
) -> None:
    body = next(encode(record)[1] for record, each, _ in PINNED if each == kind)
    with pytest.raises(ValueError, match=said):
        decode(kind, {**body, **change})


#: What may be left out: it was empty, or no driver worked.
MAY_LACK = {
    "logged": {"params", "tags", "inputs", "metrics", "models"},
    "unit": {"why", "message", "log", "artifacts", "in_place"},
    "accepted": {"why", "message", "log", "artifacts", "in_place", "busy", "failed"},
    "ended": {"best", "idle", "why"},
    "parent": {"t", "behind"},
}


@pytest.mark.parametrize(("record", "kind", "body"), PINNED)
def test_a_body_that_lacks_a_field_is_refused_by_its_name(record: JournalRecord, kind: str, body: str) -> None:
    whole = encode(record)[1]
    for gone in whole.keys() - MAY_LACK.get(kind, set()):
        with pytest.raises(ValueError, match=rf"kind '{kind}' .*\({gone} is missing\)"):
            decode(kind, {name: value for name, value in whole.items() if name != gone})


def test_a_body_that_is_no_object_is_refused() -> None:
    body: Any = [1]
    with pytest.raises(ValueError, match=r"'late' .*\(the body is \[1\]; allowed is an object\)"):
        decode("late", body)
