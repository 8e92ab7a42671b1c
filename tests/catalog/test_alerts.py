"""Alerts: conditions, states, and that a change is passed on at least once and nothing else is."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkml_track.catalog import Catalog
from sparkml_track.catalog.alerts import Alert, Notify, check
from sparkml_track.catalog.alerts.condition import parse_condition
from sparkml_track.catalog.alerts.notify import notify
from sparkml_track.errors import InvalidInput, QueryError
from sparkml_track.home import Home
from sparkml_track.sql import open_engine

# -------------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("share > 0.2", 0.3, True),
        ("share>=0.2", 0.2, True),
        ("share < 1e3", 1000, False),
        ("share = 1", 1, True),
        ("share != 1", 1, False),
        ("state = 'bad'", "bad", True),
        ("day >= '2013-11-01'", "2013-11-02", True),
        ('"a b" > -1', 0, True),
        ("share > 0", None, None),
        ("share > 0", float("nan"), None),
        ("share > 0", "text", None),
        ("state = 'bad'", 3, None),
        ("flag = 1", True, True),
    ],
)
def test_a_condition_holds_or_nobody_can_say(text: str, value: object, holds: bool | None) -> None:
    assert parse_condition(text).holds(value) is holds


@pytest.mark.parametrize(
    "text", ["", "share", "share >", "share > x", "share > nan", "> 1", "share ~ 1", "a > 1; drop"]
)
def test_what_is_no_condition_is_wrong_input(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not a condition; write a column"):
        parse_condition(text)


def test_rows_are_counted_and_the_first_row_is_compared() -> None:
    rows = pa.table({"v": [3, 4]})
    assert parse_condition("rows > 1").value_in(rows) == 2
    assert parse_condition("v > 1").value_in(rows) == 3
    assert parse_condition("v > 1").value_in(rows.slice(2)) is None
    assert parse_condition("rows > 1").value_in(pa.table({"rows": [7]})) == 7
    with pytest.raises(QueryError, match="names the column w, and the query gives v"):
        parse_condition("w > 1").value_in(rows)


# ------------------------------------------------------------------------------------------------------ states


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(Home(tmp_path / "home"), open_engine())


def alert(file: Path, query: str = "SELECT max(v) AS v FROM t") -> Alert:
    return Alert("high", query, parse_condition("v > 10"), notify=Notify(file=file))


def told(file: Path) -> list[str]:
    return [json.loads(line)["state"] for line in file.read_text().splitlines()] if file.exists() else []


def test_only_a_change_of_state_is_passed_on(catalog: Catalog, tmp_path: Path) -> None:
    one, file = alert(tmp_path / "said"), tmp_path / "said"
    states = list[str]()
    for value in (1, 2, 20, 30, 3, 4):
        catalog.tables.write("t", pa.table({"v": [value]}), mode="overwrite")
        states.append(check(one, catalog).state)
    assert states == ["ok", "ok", "triggered", "triggered", "ok", "ok"]
    assert told(file) == ["triggered", "ok"]
    rows = catalog.system.rows("alerts").sort_by("checked_at").to_pylist()
    assert [(row["state"], row["before"], row["value"]) for row in rows][2:4] == [
        ("triggered", "ok", "20"),
        ("triggered", "triggered", "30"),
    ]
    assert json.loads(rows[2]["tables"]) == ["main.default.t@2"]


def test_a_first_check_that_is_not_ok_is_a_change(catalog: Catalog, tmp_path: Path) -> None:
    found = check(alert(tmp_path / "said"), catalog)
    assert (found.state, found.before, found.notified) == ("unknown", None, "file")
    assert found.error is not None
    assert found.error.startswith("there is no table t")
    assert told(tmp_path / "said") == ["unknown"]


def test_nothing_to_compare_is_unknown(catalog: Catalog, tmp_path: Path) -> None:
    for query in ("SELECT 1 AS v WHERE false", "SELECT NULL::INT AS v", "SELECT 'x' AS v", "SELECT 1 AS w"):
        assert check(alert(tmp_path / "said", query), catalog).state == "unknown"
    assert told(tmp_path / "said") == ["unknown"]


def test_what_could_not_be_passed_on_is_passed_on_by_the_next_check(catalog: Catalog, tmp_path: Path) -> None:
    catalog.tables.write("t", pa.table({"v": [20]}))
    folder = tmp_path / "away"
    first = check(alert(folder / "said"), catalog)
    assert first.notified == "failed: file (No such file or directory)"
    folder.mkdir()
    assert [check(alert(folder / "said"), catalog).notified for _ in range(2)] == ["file", ""]
    assert told(folder / "said") == ["triggered"]


# -------------------------------------------------------------------------------------------------------- ways


class _Hook(BaseHTTPRequestHandler):
    said: list[dict[str, Any]]
    answer = 200

    def do_POST(self) -> None:
        self.said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, type[_Hook]]]:
    handler = type("Hook", (_Hook,), {"said": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?token=secret", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_message_goes_all_ways_and_each_may_fail_alone(tmp_path: Path, hook: tuple[str, type[_Hook]]) -> None:
    url, handler = hook
    copy = (sys.executable, "-c", f"import sys; open({str(tmp_path / 'copy')!r}, 'w').write(sys.stdin.read())")
    assert notify(Notify(copy, url, tmp_path / "file"), {"state": "ok"}) == "command, webhook, file"
    assert json.loads((tmp_path / "copy").read_text()) == handler.said[0] == {"state": "ok"}

    handler.answer = 500
    said = notify(Notify((sys.executable, "-c", "raise SystemExit(3)"), url, tmp_path / "file"), {"state": "ok"})
    assert said == "failed: command (exit 3), webhook (HTTP 500); file"
    assert len((tmp_path / "file").read_text().splitlines()) == 2


def test_what_fails_is_said_without_secrets(tmp_path: Path) -> None:
    ways = Notify(("no-such-program", "--password=hunter2"), "http://127.0.0.1:9/hook?token=secret")
    said = notify(ways, {})
    assert said == "failed: command (No such file or directory), webhook (Connection refused)"
    assert "secret" not in repr(ways)
