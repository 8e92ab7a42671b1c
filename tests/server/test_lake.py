"""The pages of a server with accounts: nobody sees one without a login, and nobody writes through one."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from sparkml_track.testing.servers import TrackingServer
from tests.server.conftest import ACCOUNTS, ADMIN, PASSWORD

pytestmark = pytest.mark.slow

SOCKET = "/lake/home/ws?session_id=s_tests1"


def get(server: TrackingServer, account: str = "", path: str = "/lake/home/", **more: Any) -> requests.Response:
    auth = (account, {ADMIN: PASSWORD, **ACCOUNTS}[account]) if account else None
    return requests.get(server.uri + path, auth=auth, timeout=60, **more)


def basic(account: str) -> dict[str, str]:
    pair = f"{account}:{ {ADMIN: PASSWORD, **ACCOUNTS}[account] }".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def test_nobody_sees_a_page_without_a_login(guarded: TrackingServer, experiment: str) -> None:
    for path in ("/lake/home/", "/lake/", "/lake/home/api/kernel/run", "/lake/nowhere", "/lake/home/assets/x"):
        assert get(guarded, path=path).status_code == 401, path
    assert requests.get(f"{guarded.uri}/lake/home/", auth=(ADMIN, "wrong"), timeout=60).status_code == 401
    socket = guarded.uri.replace("http", "ws") + SOCKET
    for headers in ({}, {"Cookie": "sparkml-lake=ImFkbWluIg.aw0r-w.forged"}):
        with pytest.raises(InvalidStatus, match="403"):
            connect(socket, additional_headers=headers, open_timeout=60)


@pytest.mark.parametrize("account", [ADMIN, "reader"])
def test_an_account_sees_pages_and_its_cookie_opens_their_socket(
    guarded: TrackingServer, experiment: str, account: str
) -> None:
    answer = get(guarded, account)
    assert answer.status_code == 200
    assert "marimo" in answer.text
    cookie = {"Cookie": f"sparkml-lake={answer.cookies['sparkml-lake']}"}
    socket = guarded.uri.replace("http", "ws") + SOCKET
    with connect(socket, additional_headers=cookie, open_timeout=60) as opened:
        assert opened.recv(timeout=60)
    with pytest.raises(InvalidStatus, match="403"):
        connect(socket, additional_headers={**cookie, "Origin": "http://evil.example"}, open_timeout=60)


def test_scripts_are_kept_by_browsers_for_good_and_the_large_one_comes_early(
    guarded: TrackingServer, experiment: str
) -> None:
    page = get(guarded, ADMIN).text
    (early,) = re.findall(r'<link rel="modulepreload" href="(/lake/static/assets/Plot-[^"]+)"', page)
    for path in (early, *re.findall(r'"(/lake/static/assets/index-[^"]+[.]js)"', page)):
        assert "immutable" in get(guarded, path=path).headers["cache-control"]
    assert "cache-control" not in get(guarded, path="/lake/static/manifest.json").headers
    assert "cache-control" not in get(guarded, path="/lake/static/assets/none.js").headers


def test_a_page_runs_no_code_that_it_is_sent(guarded: TrackingServer, experiment: str) -> None:
    answer = get(guarded, ADMIN)
    cookie = {"Cookie": f"sparkml-lake={answer.cookies['sparkml-lake']}"}
    session = SOCKET.replace("tests1", "tests2")
    with connect(guarded.uri.replace("http", "ws") + session, additional_headers=cookie, open_timeout=60):
        given = {"cellIds": ["evil"], "codes": ["open('/tmp/evil', 'w')"]}
        headers = {**basic(ADMIN), "Marimo-Session-Id": "s_tests2"}
        for path, body in {
            "kernel/run": given,
            "kernel/save": {"cellIds": [], "codes": [], "names": [], "configs": [], "filename": "x.py"},
            "kernel/scratchpad/run": {"code": "1"},
            "files/list_files": {"path": "/"},
            "packages/add": {"package": "six"},
        }.items():
            url = f"{guarded.uri}/lake/home/api/{path}"
            assert requests.post(url, json=body, headers=headers, timeout=60).status_code in {401, 403}, path


def test_who_may_not_read_something_sees_no_page_and_why(guarded: TrackingServer, experiment: str) -> None:
    def post(path: str, **body: object) -> Any:
        answer = requests.post(f"{guarded.uri}/api/{path}", json=body, auth=(ADMIN, PASSWORD), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    post("2.0/mlflow/users/create", username="outsider", password="sees-not-all")
    number = post("2.0/mlflow/experiments/create", name=f"secret-{time.time_ns()}")["experiment_id"]
    denied = {"resource_type": "experiment", "resource_id": number, "permission": "DENY"}
    post("3.0/mlflow/users/permissions/grant", username="outsider", **denied)
    answer = requests.get(f"{guarded.uri}/lake/home/", auth=("outsider", "sees-not-all"), timeout=60)
    assert answer.status_code == 403
    assert "outsider may not read secret-" in answer.text
