"""Why trials did not finish, in few words."""

from __future__ import annotations

from sparkml_track.engine.results.failures import failures
from sparkml_track.engine.results.summary import Result
from sparkml_track.trial import State


def failed(number: int, message: str, reason: str = "exception") -> Result:
    return Result(number, {}, State.FAILED, reason=reason, message=message)


def test_messages_that_end_alike_are_one_kind_and_the_most_common_comes_first() -> None:
    results = [failed(n, f"Traceback\n line {n}\nValueError: no") for n in range(12)]
    results += [failed(20 + n, f"KeyError: {n}") for n in range(5)]
    results += [failed(40, "", "timeout"), Result(41, {}, State.FINISHED), Result(42, {}, State.PRUNED)]
    first, second = failures(results)
    assert (first.name, first.count, first.rest) == ("exception", 17, 3)
    assert first.examples[0].gist == "ValueError: no"
    assert first.examples[0].numbers == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..."
    assert [one.count for one in first.examples] == [12, 1, 1]
    assert (second.name, second.examples[0].message, second.examples[0].numbers) == ("timeout", "no message", "40")


def test_without_failures_there_is_nothing_to_say() -> None:
    assert failures([Result(0, {}, State.FINISHED)]) == []
