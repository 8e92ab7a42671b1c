"""One server with accounts, for all tests of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sparkml_track.dashboards.shipped import LAKE
from sparkml_track.testing.servers import TrackingServer

ADMIN, PASSWORD = "admin", "only-for-this-test"
ACCOUNTS = {"reader": "reads-only-here", "editor": "edits-also-here"}


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """A server with accounts and pages: a reader by default, an editor of the one experiment."""
    home = tmp_path_factory.mktemp("guarded")
    environ = {"SPARKML_HOME": str(home), "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD, LAKE: str(home)}
    with TrackingServer(home, bulk=True, more=["--auth"], environ=environ) as server:
        yield server


@pytest.fixture(scope="session")
def experiment(guarded: TrackingServer) -> str:
    """Made by the admin, with a parent run."""

    def post(path: str, **body: object) -> Any:
        answer = requests.post(f"{guarded.uri}/api/{path}", json=body, auth=(ADMIN, PASSWORD), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    for name, password in ACCOUNTS.items():
        post("2.0/mlflow/users/create", username=name, password=password)
    number = post("2.0/mlflow/experiments/create", name="conformance")["experiment_id"]
    grant = {"resource_type": "experiment", "resource_id": number}
    post("3.0/mlflow/users/permissions/grant", username="editor", permission="EDIT", **grant)
    return str(number)
