from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pyarrow as pa
import pytest

from sparkml_track.dashboards.asked import lake
from sparkml_track.dashboards.kept import Kept
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.serving import canary, found, living, rivals, traffic
from sparkml_track.errors import AccessDenied, DataError, TableError
from sparkml_track.governance.grants import Grant, Grants, keep
from sparkml_track.home import Home
from sparkml_track.promotion import Canary, Labelled, look
from sparkml_track.promotion import Rivals as Refs
from sparkml_track.refs import ModelRef
from sparkml_track.serving.http.metrics import Metrics, prometheus_text
from sparkml_track.sql._duckdb.engine import DuckdbEngine

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 4000


def moment(at: int) -> datetime:
    return START + timedelta(seconds=at)


def payload(count: int) -> pa.Table:
    """One request a second; each tenth goes to version 2; the last 20 are refused."""
    version = [None if at >= count - 20 else 2 if at % 10 == 0 and at >= 100 else 1 for at in range(count)]
    return pa.table(
        {
            "timestamp_ms": pa.array([int(moment(at).timestamp() * 1000) for at in range(count)], pa.int64()),
            "status_code": pa.array([400 if each is None else 200 for each in version], pa.int32()),
            "sampling_fraction": [0.5] * count,
            "execution_time_ms": [float(at % 100) for at in range(count)],
            "model_name": [None if each is None else "delay" for each in version],
            "model_version": pa.array(version, pa.int64()),
            "alias": [{1: "champion", 2: "challenger"}.get(each) for each in version],
            "role": [{1: "served", 2: "canary"}.get(each) for each in version],
        }
    )


def rows(count: int) -> pa.Table:
    rng = np.random.default_rng(3)
    version = [2 if at % 10 == 0 and at >= 100 else 1 for at in range(count)]
    return pa.table(
        {
            "request_id": [f"r{at}" for at in range(count)],
            "flight_id": [f"f{at}" for at in range(count)],
            "alias": [{1: "champion", 2: "challenger"}[each] for each in version],
            "role": [{1: "served", 2: "canary"}[each] for each in version],
            "score": np.where(np.array(version) == 2, 0.3, rng.uniform(0.2, 0.8, count)),
            "problem": pa.array([None] * count, pa.string()),
            "model_name": ["delay"] * count,
            "model_version": pa.array(version, pa.int64()),
            "scored_at": pa.array([moment(at) for at in range(count)], pa.timestamp("us", "UTC")),
        }
    )


def labels(count: int) -> pa.Table:
    late = (np.random.default_rng(5).uniform(size=count) < 0.25).astype("int32")
    return pa.table({"flight_id": [f"f{at}" for at in range(count)], "late": late})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home")).make()
    tables = lake(Page("serving", home))
    tables.write("air_payload", payload(600))
    tables.write("air_rows", rows(ROWS))
    tables.write("air_labels", labels(ROWS))
    tables.write("wide", pa.table({"flight_id": ["f1"], "x": [1.0], "y": [1.0], "z": [1.0]}))
    return home


@pytest.fixture
def page(home: Home) -> Page:
    return Page("serving", home)


@pytest.fixture
def span(page: Page) -> found.Span:
    made = found.span(page, "air", None)
    assert made is not None
    return made


def from_asked() -> Kept:
    raise AssertionError("nothing was asked")


from_asked.__module__ = "sparkml_track.dashboards.asked"  # whose answers they are
WHO = rivals.Rivals("air", "delay", 1, 2, "air_labels", ("flight_id",), "late")


def test_endpoints_are_found_by_their_tables(page: Page) -> None:
    assert found.endpoints(page) == ["air"]


def test_a_part_of_time_ends_with_the_last_request(page: Page, span: found.Span) -> None:
    assert (span.requests, span.width) == (600, 5000)
    last = found.span(page, "air", 60_000)
    assert last is not None
    assert (last.requests, last.last, last.width) == (61, span.last, 1000)


def test_requests_are_counted_and_timed(page: Page, span: found.Span) -> None:
    shown = traffic.overview(page, "air", span)
    for said in ("<b>600</b><span>requests", "<b>20</b><span>refused", "<b>0</b><span>failed", "49.7 ms", "50.0%"):
        assert said in shown
    lines = {line.name: sum(line.y) for line in traffic.requests(page, "air", span).data}
    assert lines == {"version 1 (champion)": 532, "version 2 (challenger)": 48, "no version": 20}
    assert [line.name for line in traffic.latency(page, "air", span).data] == ["median", "95 %", "99 %"]


def test_errors_are_drawn_by_status_or_said_not_to_be(page: Page, span: found.Span) -> None:
    assert [(line.name, sum(line.y)) for line in traffic.errors(page, "air", span).data] == [("400", 20)]
    early = replace(span, first=span.last + 1, requests=0)
    assert "answered with a prediction" in traffic.errors(page, "air", early)


def test_what_is_not_told_apart_is_drawn_as_others(
    page: Page, span: found.Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SHOWN", "_VERSIONS"):
        monkeypatch.setattr(traffic, name, 1)
    lines = {line.name: sum(line.y) for line in traffic.requests(page, "air", span).data}
    assert lines == {"2 others": 580, "no version": 20}
    assert [line.name for line in traffic.scores(page, "air", span).data] == ["1 other", "version 2 (challenger)"]
    assert "2 more" in traffic.by_version(page, "air", span)


def test_versions_are_listed_with_rows_and_scores(page: Page, span: found.Span) -> None:
    shown = traffic.by_version(page, "air", span)
    assert "/lake/models/?model=delay&amp;version=2" in shown
    assert "<td>3,610</td>" in shown  # rows of version 1
    lines = {line.name: line.y[0] for line in traffic.scores(page, "air", span).data}
    assert lines["version 2 (challenger)"] == pytest.approx(0.3)


def test_scores_that_are_lists_are_not_averaged(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    lists = rows(9).set_column(4, "score", pa.array([[0.1, 0.9]] * 9))
    lake(page).write("air_payload", payload(40))
    lake(page).write("air_rows", lists)
    span = found.span(page, "air", None)
    assert span is not None
    assert traffic.scores(page, "air", span) == ""
    assert "<td>9</td>" in traffic.by_version(page, "air", span)


def test_what_waits_on_disk_is_said(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    lake(page).write("air_payload", payload(40))
    spool = page.home.inference("air") / "spool"
    spool.mkdir(parents=True)
    (spool / "0.log").write_bytes(b"x" * 1234)
    span = found.span(page, "air", None)
    assert span is not None
    assert "1,234 bytes" in traffic.overview(page, "air", span)


def test_a_home_that_served_nothing_says_so(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path / "none"))
    assert found.endpoints(page) == []
    assert "sparkml-track serve" in traffic.nothing(page, None)
    assert "sparkml-track deploy" in living.living(page)
    assert rivals.pairs(page, "air") == {}
    assert "Only one version" in rivals.nothing({}, [])
    assert not page.home.root.exists()


def test_an_endpoint_whose_records_cannot_be_read_says_why(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    for name in ("good", "bad"):
        lake(page).write(f"{name}_payload", payload(40))
    next((page.home.tables / "bad_payload" / "_delta_log").glob("*.json")).write_text("rubbish")
    page = Page("serving", page.home)
    assert sorted(found.endpoints(page)) == ["bad", "good"]
    with pytest.raises(TableError):
        traffic.nothing(page, "bad")


def test_labels_and_keys_are_guessed(page: Page) -> None:
    assert rivals.pairs(page, "air") == {"delay: 2 against 1": ("delay", 1, 2)}
    assert rivals.labels(page, "air")[0] == "air_labels"
    assert "wide" in rivals.labels(page, "air")
    assert rivals.keys(page, "air", "air_labels") == ["flight_id"]
    assert rivals.labels_of(page, "air", "air_labels") == ["late"]
    assert "--on flight_id --label late --loss log_loss" in WHO.command


def test_a_canary_is_judged_as_by_the_command(page: Page) -> None:
    ref = ModelRef("delay", 1, "r", "u")
    labelled = Labelled(labels(ROWS), ("flight_id",), "late")
    said = look(Canary(), Refs(ref, replace(ref, version=2)), rows(ROWS), labelled)
    last = canary.looks(page, WHO)[-1]
    assert last.rows == said.rows == 390
    assert last.judged.state == said.state == "promote"
    assert (last.judged.low, last.judged.high) == pytest.approx((said.low, said.high))


def test_a_canary_is_drawn_look_by_look(page: Page) -> None:
    found = canary.looks(page, WHO)
    assert [each.rows for each in found] == sorted(each.rows for each in found)
    assert len(found) == 15
    figure = canary.sequence(page, WHO)
    widths = np.array(figure.data[1].y) - np.array(figure.data[0].y)
    assert widths[-1] < widths[0]
    shown = canary.stands(page, WHO)
    assert "promote" in shown and "models canary delay" in shown


def test_of_a_canary_the_looks_are_kept_and_not_its_rows(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    page, asked = Page("serving", home), []
    run = DuckdbEngine.run
    monkeypatch.setattr(DuckdbEngine, "run", lambda *given: asked.append(given) or run(*given))
    assert canary.looks(page, WHO) is canary.looks(page, WHO)
    assert len(asked) == 1
    answers: Kept = page.kept.get("answers", (), from_asked)
    assert not [made for _, made in answers._found.values() if isinstance(made, pa.Table)]


def test_looks_that_are_kept_are_not_shown_to_who_may_not_read(page: Page) -> None:
    assert canary.looks(page, WHO)
    other = Page("serving", page.home, viewer="bob", kept=page.kept)
    keep(page.home, Grants((Grant("SELECT", "main.default.air_labels", "user:ann"),)))
    try:
        with pytest.raises(AccessDenied):
            canary.looks(other, WHO)
    finally:
        page.home.grants.unlink()


def test_a_canary_without_labels_waits(page: Page) -> None:
    none = replace(WHO, challenger=7)
    assert canary.looks(page, none) == []
    assert "No row that version 7" in canary.stands(page, none)
    assert canary.sequence(page, none) == ""


def test_labels_that_are_no_classes_are_refused_in_a_sentence(page: Page) -> None:
    tables = lake(page)
    if not tables.exists("odd_labels"):
        tables.write("odd_labels", pa.table({"flight_id": [f"f{at}" for at in range(ROWS)], "late": [2.5] * ROWS}))
    with pytest.raises(DataError, match="log_loss takes 0 and 1"):
        canary.stands(page, replace(WHO, labels="odd_labels"))


def test_names_of_columns_are_quoted(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    odd = 'x"--'
    lake(page).write(
        "air_rows", rows(ROWS).rename_columns([odd if n == "flight_id" else n for n in rows(1).column_names])
    )
    lake(page).write("lab", labels(ROWS).rename_columns([odd, "late"]))
    assert len(canary.looks(page, replace(WHO, labels="lab", on=(odd,)))) == 15


def test_labels_that_come_are_a_change(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    lake(page).write("air_payload", payload(40))
    lake(page).write("lab", labels(40))
    before = found.changed(page, "air"), found.changed(page, "air", "lab")
    lake(page).write("lab", labels(41), mode="overwrite")
    assert found.changed(page, "air") == before[0]
    assert found.changed(page, "air", "lab") != before[1]


@contextmanager
def server(answers: dict[str, tuple[int, str]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers.get(self.path, (404, ""))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", text)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def deployed(page: Page, where: str, project: str = "air") -> None:
    line = {"project": project, "to": "endpoint", "where": where, "model": "delay", "version": 3, "alias": "champion"}
    file = page.home.deployments / project / "history.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("rubbish\n" + json.dumps(line | {"at": "2026-01-01T00:00:00+00:00", "by": "<i>ann"}) + "\n[1]\n")


def counts() -> str:
    metrics = Metrics()
    metrics.add("requests_total", 7, alias="champion", status=200)
    metrics.add("requests_total", 2, alias="champion", status=400)
    for _ in range(100):
        metrics.time(0.004)
    return prometheus_text(metrics.values(), ['sparkml_serving_version{alias="champion"} 3', "rubbish {"])


def test_a_living_endpoint_is_asked_how_it_is(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    with server({"/health": (200, "{}"), "/metrics": (200, counts())}) as where:
        deployed(page, where)
        shown = living.living(page)
    assert "alive" in shown and "<td>9</td>" in shown and "3.75 ms" in shown
    assert "<i>ann" not in shown


def test_an_endpoint_with_a_token_says_that_it_lives(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    with server({"/health": (200, "{}"), "/metrics": (401, "")}) as where:
        deployed(page, where)
        assert "its counts need its token (401)" in living.living(page)


def test_an_endpoint_that_is_gone_costs_its_own_line(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    with server({}) as where:
        pass
    deployed(page, where)
    deployed(page, "file:///etc", "other")
    shown = living.living(page)
    assert shown.count("does not answer") == 2
    assert "not an address of HTTP" in shown


@contextmanager
def silent_about_http() -> Iterator[str]:
    """A port behind which something else answers."""
    with socket.create_server(("127.0.0.1", 0)) as made:

        def answer() -> None:
            with suppress(OSError):  # closed
                while True:
                    one, _ = made.accept()
                    with one:
                        one.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                        one.recv(1000)

        thread = Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.getsockname()[1]}"
        finally:
            made.shutdown(socket.SHUT_RDWR)  # ends the wait for another
            thread.join(30)


def test_a_port_of_something_else_costs_its_own_line(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    with silent_about_http() as where, server({"/health": (200, "{}"), "/metrics": (200, counts())}) as good:
        deployed(page, where)
        deployed(page, good, "good")
        shown = living.living(page)
    assert "does not answer: SSH-2.0-OpenSSH" in shown
    assert "<td>9</td>" in shown


def test_endpoints_are_asked_at_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "_SECONDS", 20.0)
    page, together = Page("serving", Home(tmp_path)), Barrier(3)
    for project in "abc":
        deployed(page, f"http://{project}", project)

    def get(url: str) -> str:
        if url.endswith("/health"):
            together.wait(10)
        return ""

    monkeypatch.setattr(living, "_get", get)
    assert living.living(page).count("alive") == 2 * 3  # the class and the word


def test_projects_that_are_not_asked_are_named_by_their_number(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    for number in range(12):
        deployed(page, "file:///etc", f"p{number:02}")
    shown = living.living(page)
    assert shown.count("does not answer") == 10
    assert "2 more projects" in shown


def test_an_endpoint_sends_nobody_elsewhere(tmp_path: Path) -> None:
    page = Page("serving", Home(tmp_path))
    with server({"/secret": (200, "{}")}) as inner, server({"/health": (302, f"{inner}/secret")}) as where:
        deployed(page, where)
        assert "does not answer" in living.living(page)


def test_quantiles_come_from_buckets() -> None:
    found = living.parsed(counts())
    assert living.quantile(found, 0.5) == pytest.approx(0.00375)
    assert living.quantile({}, 0.5) is None
    by_model = 'sparkml_serving_request_seconds_bucket{{model="{}",le="{}"}} {}'
    lines = [by_model.format(*one) for one in (("a", 0.1, 1), ("b", 0.1, 1), ("a", "+Inf", 1), ("b", "x", 1))]
    assert living.quantile(living.parsed("\n".join(lines)), 1.0) == pytest.approx(0.05)
    below = {("request_seconds_bucket", 'le="0.1"'): 0.0, ("request_seconds_bucket", 'le="+Inf"'): -1.0}
    assert living.quantile(below, 0.5) is None
    assert living.parsed("sparkml_serving_in_hand NaN") == {}
    assert found["requests_total", 'alias="champion",status="200"'] == 7
