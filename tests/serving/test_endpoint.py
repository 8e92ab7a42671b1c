"""An endpoint over HTTP, in this process."""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparkml_track.errors import SetupError, SpecError
from sparkml_track.serving import Limits, ServedModel, Serving, bind, serve, table_prefix
from tests.serving.models import NAME, ROW, Answer, ask, get, inputs, numbers, odd_registry, registry, rows, spec, until

TOKEN = "a-token-of-some-length"
Start = Callable[..., ServedModel]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts endpoints that end with the test."""
    with ExitStack() as stack:
        yield lambda models=None, **more: stack.enter_context(serve(spec(**more), models or registry()))


def test_predictions_name_the_version_and_the_request(start: Start) -> None:
    models = registry()
    answer = ask(start(models).url, rows(), x_request_id="mine-1")
    model: Any = models.load(models.version(NAME, 1))
    assert answer.status == 200
    assert answer.json["predictions"] == model.predict_proba(pd.DataFrame([ROW])).tolist()
    assert answer.json["model"] == {"name": NAME, "version": 1, "alias": "champion"}
    assert answer.headers["x-request-id"] == "mine-1"
    assert len(answer.json["request_id"]) == 32


@pytest.mark.parametrize("given", ["", "a b", "x" * 200, "<script>", "\xe9"])
def test_a_request_id_that_cannot_stand_in_a_log_is_not_taken_over(start: Start, given: str) -> None:
    answer = ask(start().url, rows(), x_request_id=given)
    assert answer.headers["x-request-id"] == answer.json["request_id"]


def test_a_null_that_the_model_refuses_is_null_and_costs_no_other_row(start: Start) -> None:
    answer = ask(start().url, rows(ROW, {"seats": 3}, {"wind": 1e999, "seats": 1}))
    assert answer.status == 200
    assert [value is None for value in answer.json["predictions"]] == [False, True, True]
    assert answer.json["problems"] == [{"row": 1, "problem": "null in wind"}, {"row": 2, "problem": "infinite wind"}]


def test_not_a_number_is_null(start: Start) -> None:
    url = start(odd_registry(lambda frame: np.array([np.nan, 1.0, np.inf]))).url
    assert ask(url, rows(ROW, ROW, ROW)).json["predictions"] == [None, 1.0, None]


def test_csv_is_taken(start: Start) -> None:
    answer = ask(start(registry(numbers())).url, b"wind,seats\n2.5,3\n", content_type="text/csv")
    assert answer.json["predictions"] == [pytest.approx(2.5)]


def test_an_empty_batch_has_no_predictions(start: Start) -> None:
    assert ask(start().url, rows() | {"dataframe_records": []}).json["predictions"] == []


def test_extra_and_reordered_columns_change_nothing(start: Start) -> None:
    url = start().url
    assert (
        ask(url, rows({"more": {"x": 1}, "seats": 3, "wind": 1.0})).json["predictions"]
        == ask(url, rows()).json["predictions"]
    )


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "the body is not JSON"),
        (rows({"wind": 1.0}), 400, "the column 'seats' (long) is missing; the model takes wind (double), seats (long)"),
        (rows({"wind": "x", "seats": 1}), 400, "column 'wind' is double, and its value in row 0, 'x', is not a number"),
        (rows() | {"params": {"top": 1}}, 400, "this version takes no params"),
        (rows(*[ROW] * 6), 413, "the request has 6 rows, and 5 are allowed"),
        (b" " * 1001, 413, "the body has 1,001 bytes, and 1,000 are allowed"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(start: Start, body: Any, status: int, sentence: str) -> None:
    answer = ask(start(limits=Limits(rows=5, bytes=1000)).url, body)
    assert answer.status == status
    assert sentence in answer.message
    assert answer.json["request_id"] == answer.headers["x-request-id"]


def test_a_body_that_does_not_say_its_length_is_bounded_too(start: Start) -> None:
    connection = http.client.HTTPConnection(start(limits=Limits(bytes=10)).url.removeprefix("http://"), timeout=60)
    connection.request("POST", "/invocations", iter([b"x" * 8] * 2), {"content-type": "application/json"})
    assert connection.getresponse().status == 413
    connection.close()


def test_other_methods_paths_and_encodings_are_sentences(start: Start) -> None:
    url = start().url
    assert "/invocations takes POST, not GET" in get(url, "/invocations").message
    assert get(url, "/invocations").status == 405
    assert "there is no '/nothing' here" in get(url, "/nothing").message
    assert ask(url, rows(), content_encoding="gzip").status == 415
    assert ask(url, rows(), content_type="text/plain").status == 415
    unknown = ask(url, rows(), path="/invocations?alias=nobody")
    assert (unknown.status, unknown.message) == (404, "the alias 'nobody' is not served here; these are: champion")


def test_a_defect_costs_one_request_and_shows_no_traceback(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    def broken(frame: pd.DataFrame) -> object:
        raise MemoryError("a lot")

    url = start(odd_registry(broken)).url
    with caplog.at_level(logging.ERROR):
        answer = ask(url, rows())
    assert answer.status == 500
    assert "could not be answered (MemoryError)" in answer.message
    assert get(url, "/health").status == 200


def test_a_request_that_takes_too_long_is_ended_by_a_sentence_and_keeps_its_place(start: Start) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(frame: pd.DataFrame) -> object:
        asked.set()
        assert go.wait(120)
        return frame["wind"]

    url = start(odd_registry(slow), limits=Limits(seconds=0.2, concurrency=1)).url
    answer = ask(url, rows())
    assert (answer.status, "there was no prediction in 0.2 s" in answer.message) == (504, True)
    busy = ask(url, rows())
    assert (busy.status, busy.headers["retry-after"]) == (429, "1")
    go.set()
    until(lambda: ask(url, rows()).status == 200)


def test_requests_beyond_the_bound_are_sent_away(start: Start) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(frame: pd.DataFrame) -> object:
        asked.set()
        assert go.wait(120)
        return frame["wind"]

    url, found = start(odd_registry(slow), limits=Limits(concurrency=1)).url, list[Answer]()
    first = threading.Thread(target=lambda: found.append(ask(url, rows())))
    first.start()
    assert asked.wait(120)
    answer = ask(url, rows())
    assert answer.status == 429
    assert "1 requests are in hand" in answer.message
    go.set()
    first.join()
    assert found[0].status == 200
    assert 'rejected_total{reason="concurrency"} 1' in get(url, "/metrics").text


def test_a_token_is_asked_for_and_never_shown(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        url = start(token=TOKEN).url
        for given in ("", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"):
            answer = ask(url, rows(), authorization=given)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert [get(url, path).status for path in ("/metrics", "/version")] == [401, 401]
        assert get(url, "/health").json == {"status": "ok"}
        assert ask(url, rows(), authorization=f"Bearer {TOKEN}").status == 200
        assert "routes" in get(url, "/health", authorization=f"Bearer {TOKEN}").json
    assert TOKEN not in caplog.text + repr(spec(token=TOKEN))


def test_health_version_and_metrics_say_what_is_served(start: Start) -> None:
    url = start().url
    ask(url, rows(ROW, {"seats": 3}))
    ask(url, b"{")
    assert get(url, "/health").json["routes"] == {"champion": {"version": 1, "share": 100.0}}
    assert get(url, "/ping").status == 200
    assert get(url, "/version").json["model"] == {"champion": 1}
    lines = get(url, "/metrics").text.splitlines()
    served = 'alias="champion",version="1"'
    assert f'sparkml_serving_requests_total{{{served},role="served",status="200"}} 1' in lines
    assert f'sparkml_serving_requests_total{{{served},role="served",status="400"}} 1' in lines
    assert f"sparkml_serving_problem_rows_total{{{served}}} 1" in lines
    assert 'sparkml_serving_request_seconds_bucket{le="+Inf"} 2' in lines
    assert all(line.startswith("#") or len(line.split()) == 2 for line in lines if "{" not in line)


def test_the_end_waits_for_what_is_in_hand() -> None:
    asked, go, found = threading.Event(), threading.Event(), list[Answer]()

    def slow(frame: pd.DataFrame) -> object:
        asked.set()
        assert go.wait(120)
        return frame["wind"]

    served = serve(spec(), odd_registry(slow))
    first = threading.Thread(target=lambda: found.append(ask(served.url, rows())))
    first.start()
    assert asked.wait(120)
    closing = threading.Thread(target=served.close)
    closing.start()
    go.set()
    first.join()
    closing.join()
    assert found[0].status == 200
    with pytest.raises(ConnectionError):
        ask(served.url, rows())
    served.close()


def test_processes_of_one_endpoint_count_together(tmp_path: Path) -> None:
    for counts in (tmp_path / "0.json", tmp_path / "1.json"):
        with serve(spec(), registry(), counts=counts) as served:
            ask(served.url, rows())
            until(lambda counts=counts: counts.exists() and "requests_total" in counts.read_text())  # type: ignore[misc]
            text = get(served.url, "/metrics").text
    assert 'role="served",status="200"} 2' in text


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"routes": {"champion": 0}}, "one alias at least must have a share above 0"),
        ({"routes": {"champion": -1}}, "routes.champion is -1"),
        ({"sticky": "a b"}, "sticky is 'a b'"),
        ({"reload": 0}, "reload is 0"),
        ({"host": "0.0.0.0"}, "on 0.0.0.0 anybody on the network could ask the model"),
        ({"token": "short"}, "the token must have at least 16 characters"),
    ],
)
def test_a_spec_that_cannot_be_served_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        Serving(NAME, **given)


def test_a_port_in_use_is_a_sentence() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(SetupError, match="is in use"):
            bind("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(SetupError, match="is not known"):
        bind("no.such.host.invalid", 0)


def test_tables_get_a_name_that_they_may_have() -> None:
    assert [table_prefix(name) for name in ("delay", "my model-1.0", "1st")] == ["delay", "my_model_1_0", "m_1st"]


def test_inputs_of_the_fixture_are_those_of_the_row() -> None:
    assert list(inputs(1).columns) == list(ROW)
