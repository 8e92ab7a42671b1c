"""Who gets to the pages: by host, by the page that asks, by account."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sparkml_track.server.gate import Gate, Visitor, strange

HERE = {"host": "localhost:5000"}


class Known:
    """Two accounts: one that may look, and one that may not see everything."""

    cookie = "seen"

    def visitor(self, authorization: str, cookie: str) -> Visitor | None:
        name = {"Basic ada": "ada", "Basic bob": "bob"}.get(authorization) or {"c-ada": "ada"}.get(cookie)
        return Visitor(name, "bob may not read secret" if name == "bob" else "", f"c-{name}") if name else None


def asked(headers: dict[str, str], kind: str = "http", accounts: Any = None) -> tuple[list[dict[str, Any]], list[Any]]:
    """What a gate sends, and the scopes that it let through."""
    sent: list[dict[str, Any]] = []
    through: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        through.append(scope)
        await send({"type": "http.response.start" if kind == "http" else "websocket.accept", "status": 200})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(Gate(app, accounts)({"type": kind, "headers": raw, "path": "/home/"}, receive, send))
    return sent, through


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"host": "localhost:5000"}, ""),
        ({"host": "127.0.0.1:5000", "origin": "http://127.0.0.1:5000"}, ""),
        ({"host": "evil.example"}, "not asked as 'evil.example'"),
        ({}, "not asked as ''"),
        ({"host": "localhost:5000", "origin": "http://evil.example"}, "A page of 'http://evil.example'"),
        ({"host": "localhost:5000", "origin": "http://localhost:5001"}, "A page of 'http://localhost:5001'"),
        ({"host": "localhost:5000", "origin": "null"}, "A page of 'null'"),
    ],
)
def test_what_other_sites_ask_is_refused(headers: dict[str, str], said: str) -> None:
    found = strange(headers)
    assert said in found if said else not found


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_page_of_another_site_reaches_nothing(kind: str) -> None:
    sent, through = asked({**HERE, "origin": "http://evil.example"}, kind)
    assert not through
    assert sent[0].get("status", sent[0].get("code")) in {403, 1008}


def test_without_accounts_whoever_reaches_it_looks() -> None:
    assert asked(HERE)[1] and asked(HERE, "websocket")[1]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_stranger_is_asked_who_it_is(kind: str) -> None:
    for headers in (HERE, {**HERE, "authorization": "Basic eve"}, {**HERE, "cookie": "seen=c-eve; other=1"}):
        sent, through = asked(headers, kind, Known())
        assert not through
        assert sent[0]["status"] == 401 if kind == "http" else sent[0]["type"] == "websocket.close"
    if kind == "http":
        assert (b"www-authenticate", b'Basic realm="mlflow"') in sent[0]["headers"]


def test_the_page_learns_who_looks_and_the_browser_gets_a_cookie() -> None:
    sent, (scope,) = asked({**HERE, "authorization": "Basic ada"}, accounts=Known())
    assert scope["user"] == {"username": "ada"}
    assert sent[0]["headers"] == [(b"set-cookie", b"seen=c-ada; Path=/; HttpOnly; SameSite=Strict")]


def test_a_cookie_opens_a_websocket_and_nothing_else() -> None:
    headers = {**HERE, "cookie": "x=1; seen=c-ada"}
    assert asked(headers, "websocket", Known())[1][0]["user"] == {"username": "ada"}
    assert not asked(headers, "http", Known())[1]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_account_that_may_not_see_all_is_told_what(kind: str) -> None:
    sent, through = asked({**HERE, "authorization": "Basic bob"}, kind, Known())
    assert not through
    said = sent[1]["body"].decode() if kind == "http" else sent[0]["reason"]
    assert "bob may not read secret" in said


def test_the_start_of_the_application_passes() -> None:
    assert asked({}, "lifespan")[1]
