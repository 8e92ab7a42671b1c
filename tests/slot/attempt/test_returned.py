from __future__ import annotations

import numpy as np
import pytest

from sparkml_track.slot.attempt.context import TrialContext
from sparkml_track.slot.attempt.execute import execute
from sparkml_track.slot.attempt.log import HEAD, TAIL, HeadTail
from sparkml_track.slot.attempt.returned import MESSAGE_LIMIT, BadResult, clip, describe_error, metrics_of
from sparkml_track.slot.wire.messages import Run

RUN = Run("0.0.1", 0, {}, 1, "0.0", 1)


def test_a_number_stands_for_the_metric() -> None:
    assert metrics_of(3, ["loss"]) == {"loss": 3.0}
    assert metrics_of({"loss": np.float32(0.5), "auc": 1}, ["loss"]) == {"loss": 0.5, "auc": 1.0}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "None (NoneType); allowed is a number"),
        (True, "True (bool); allowed is a number"),
        ("0.5", "'0.5' (str); allowed is a number"),
        ({"auc": 1.0}, "no metric 'loss', only: auc; return it too, or give the sweep the metric you return"),
        ({}, "no metric 'loss', only: an empty mapping"),
        ({"loss": None}, "metric 'loss' is None"),
        ({"loss": 1.0, 3: 1.0}, "a metric named 3 (int)"),
        ({"loss": 1.0} | {f"m{i}": 0.0 for i in range(1000)}, "1001 metrics; allowed are 1000"),
        (b"x" * 10_000_000, "a bytes; allowed is a number"),
        (np.ones(3), "a ndarray; allowed is a number"),
        (10**400, "too large; allowed is a number"),
    ],
)
def test_what_is_no_metric_is_refused_in_words(value: object, said: str) -> None:
    with pytest.raises(BadResult) as caught:
        metrics_of(value, ["loss"])
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_several_objectives_need_a_mapping() -> None:
    with pytest.raises(BadResult, match="a mapping with the metrics loss, time"):
        metrics_of(1.0, ["loss", "time"])


def test_a_clip_is_never_longer_than_allowed_in_bytes() -> None:
    assert clip("é" * 5000).encode().__len__() <= MESSAGE_LIMIT
    assert clip("short") == "short"


def test_an_error_is_told_with_its_place() -> None:
    try:
        raise ValueError("no luck")
    except ValueError as error:
        said = describe_error(error)
    assert said.startswith("ValueError: no luck")
    assert __file__ in said


def test_the_frames_of_this_package_above_the_objective_are_left_out() -> None:
    def objective(_: object) -> float:
        raise KeyError("mine")

    said = str(execute(objective, RUN, {}, None, ["loss"], None).message)  # type: ignore[arg-type]
    assert "in execute" not in said
    assert said.splitlines()[1].startswith(f"  {__file__}:")


def test_a_report_that_is_no_mapping_is_refused_in_words() -> None:
    trial = TrialContext(RUN, {}, None, None)  # type: ignore[arg-type]
    with pytest.raises(BadResult, match=r"reported 0.5 \(float\); allowed is a mapping of metric names to numbers"):
        trial.report(0.5, 1)  # type: ignore[arg-type]


def test_head_and_tail_are_kept_and_the_rest_counted() -> None:
    log = HeadTail()
    for i in range(1000):
        log.add(f"{i:09}\n".encode() * 100)
    text = log.text()
    assert text.startswith("000000000\n")
    assert text.endswith("000000999\n")
    assert f"[... {1000 * 1000 - HEAD - TAIL:,} bytes cut ...]" in text
    log.clear()
    assert log.text() == ""
