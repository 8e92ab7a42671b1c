"""Progress where there is no terminal: a line a minute, or JSON for programs."""

from __future__ import annotations

import io
import json
import logging
import math

import pytest

from sparkml_track.api.progress.lines import JSON_EVERY, LOG_EVERY, JsonLines, LogLines
from tests.api.progress.looks import look


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with caplog.at_level(logging.INFO):
        shown = LogLines("forests", clock)
        for clock.now in (1.0, LOG_EVERY - 1, LOG_EVERY, LOG_EVERY + 1, 2 * LOG_EVERY):
            shown(look(finished=3, running=2, slots=4, busy=2, elapsed=30.0, remaining=370.0))
    said = "forests: 3/40 done, 2 running, 0 failed, 2 of 4 slots busy, 6.0 trials/min, 6 min 10 s left"
    assert [record.message for record in caplog.records] == [said, said]


def test_json_is_a_line_a_second_and_one_at_the_end() -> None:
    clock, stream = Clock(), io.StringIO()
    shown = JsonLines(stream, clock)
    for clock.now in (0.0, JSON_EVERY / 2, JSON_EVERY, JSON_EVERY * 1.5):
        shown(look(finished=round(clock.now * 10)))
    shown(look(finished=40, ended=True))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["finished"] for line in lines] == [0, 10, 40]
    assert [line["ended"] for line in lines] == [False, False, True]


def test_json_has_the_names_that_programs_rely_on() -> None:
    stream = io.StringIO()
    params = {"x": 0.5, "kind": "forest", "odd": object, "gone": math.nan, "none": None}
    JsonLines(stream)(look(finished=1, best=math.inf, best_number=7, best_params=params, metric="loss", elapsed=2.0))
    line = json.loads(stream.getvalue(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert list(line) == [
        "event",
        "sweep",
        "metric",
        "planned",
        "done",
        "finished",
        "pruned",
        "failed",
        "killed",
        "running",
        "waiting",
        "slots",
        "busy",
        "best",
        "best_trial",
        "best_params",
        "rate",
        "elapsed",
        "remaining",
        "note",
        "ended",
    ]
    assert (line["event"], line["best"], line["best_trial"], line["rate"]) == ("progress", None, 7, 0.5)
    assert line["best_params"] == {"x": 0.5, "kind": "forest", "odd": str(object), "gone": None, "none": None}


def test_facts_of_steps_are_json_whatever_numbers_they_have() -> None:
    stream = io.StringIO()
    facts = {"auc": math.nan, "by month": {1: {"psi": math.inf}}, "list": [1.5, -math.inf], "set": {1}}
    JsonLines(stream).write("facts", {"facts": facts})
    line = json.loads(stream.getvalue(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert line["facts"] == {"auc": None, "by month": {"1": {"psi": None}}, "list": [1.5, None], "set": "{1}"}


def test_a_reader_who_leaves_costs_the_lines_alone() -> None:
    stream = io.StringIO()
    stream.close()
    JsonLines(stream)(look())
