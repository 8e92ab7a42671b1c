"""MLflow's server with the bulk endpoint, open to all or behind MLflow's own basic-auth.

``mlflow server --app-name sparkml`` and ``--app-name sparkml-auth`` start these, as entry points of this package;
``sparkml-track server`` does so with what else they need.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import request
from mlflow.environment_variables import _MLFLOW_SGI_NAME
from mlflow.server import app as flask_app
from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR
from mlflow.server.handlers import _add_static_prefix

from sparkml_track.dashboards.shipped import ACCOUNTS, LAKE
from sparkml_track.server.endpoint import METHOD, add_endpoint
from sparkml_track.trackers.receiving import PATH

__all__ = ["create_app", "create_auth_app"]


def create_app() -> Any:
    """The server without accounts: whoever reaches it may do anything."""
    _with_endpoint()
    if _MLFLOW_SGI_NAME.get() != "uvicorn":
        return flask_app
    from mlflow.server.fastapi_app import create_fastapi_app

    return _with_lake(create_fastapi_app(flask_app))


def create_auth_app() -> Any:
    """The server behind basic-auth: a batch needs what its runs would need one by one."""
    from mlflow.server import auth

    def may_write() -> bool:
        # To create runs in the experiment, and to change those of the sweep.
        runs = auth.validate_can_create_run() and auth.validate_can_update_run()
        body = request.get_json(silent=True) or {}
        if not (runs and body.get("models")):
            return bool(runs)
        experiment = body["experiment_id"]
        return bool(auth._authorize_create_in_experiment(experiment, auth.RESOURCE_TYPE_LOGGED_MODEL))  # noqa: SLF001

    _with_endpoint()
    os.environ[ACCOUNTS] = "true"
    auth.BEFORE_REQUEST_VALIDATORS[(_add_static_prefix(PATH), METHOD)] = may_write
    # What the endpoint is asked before a sweep: any account may know.
    for method in ("GET", "HEAD"):
        auth.BEFORE_REQUEST_VALIDATORS[(_add_static_prefix(PATH), method)] = lambda: True
    return _with_lake(auth.create_app(flask_app), accounts=True)


def _with_lake(app: Any, *, accounts: bool = False) -> Any:
    if project := os.environ.get(LAKE):
        from sparkml_track.server.lake import mount

        if not accounts:
            mount(app, Path(project))
            return app
        from sparkml_track.server.accounts import MlflowAccounts

        mount(app, Path(project), MlflowAccounts(flask_app.secret_key))
    return app


def _with_endpoint() -> None:
    add_endpoint(flask_app, _add_static_prefix(PATH), os.environ.get(BACKEND_STORE_URI_ENV_VAR, ""))
