"""What starts a tracking server: MLflow's own command with our application, its environment and its keys."""

from __future__ import annotations

import io
import os
import secrets
import sys
from collections.abc import Mapping
from configparser import ConfigParser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.dashboards.shipped import LAKE
from sparkml_track.errors import SetupError
from sparkml_track.home import Home

__all__ = ["ServerSpec", "command", "environment", "first_password", "make_first_account", "make_keys"]

#: Seconds for which the server waits for those who look when it ends.
_LEAVING = 2
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server.

    Attributes:
        home: where accounts and keys lie.
        store: the URI of the database.
        artifacts: where it keeps files that it is sent; None leaves them where experiments say, which is right for a
            server that only shows what lies on this machine.
        host: on which it listens.
        port: on which it listens.
        workers: processes.
        auth: behind MLflow's basic-auth.
        allowed_hosts: names by which browsers may reach it, separated by commas; those of loopback by default.
        lake: the folder whose ``dashboards/`` are shown beside the package's own; None for a server without pages.
    """

    home: Home
    store: str
    artifacts: str | None = None
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    auth: bool = False
    allowed_hosts: str = ""
    lake: Path | None = None

    @property
    def default_root(self) -> str:
        """Where experiments keep their artifacts unless they say otherwise."""
        return str(self.home.artifacts) if self.artifacts is None else "mlflow-artifacts:/"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in _LOOPBACK


def command(spec: ServerSpec) -> list[str]:
    """The command line; the store is in the environment, since it may hold a password."""
    app = "sparkml-auth" if spec.auth else "sparkml"
    words = [sys.executable, "-m", "mlflow", "server", "--app-name", app]
    words += ["--host", spec.host, "--port", str(spec.port), "--workers", str(spec.workers)]
    if spec.artifacts is None:
        words += ["--default-artifact-root", str(spec.home.artifacts)]
    else:
        words += ["--artifacts-destination", spec.artifacts]
    if spec.lake is not None:  # a page that is open holds its connection for as long as somebody looks at it
        words += ["--uvicorn-opts", f"--timeout-graceful-shutdown {_LEAVING}"]
    return words + (["--allowed-hosts", spec.allowed_hosts] if spec.allowed_hosts else [])


def environment(spec: ServerSpec, environ: Mapping[str, str]) -> dict[str, str]:
    """What is added to the environment; keys are made before.

    Args:
        spec: the server.
        environ: what is there; a person's own settings stay.
    """
    added = {"MLFLOW_BACKEND_STORE_URI": spec.store}
    if spec.lake is not None:
        added |= {LAKE: str(spec.lake), "SPARKML_HOME": spec.home.place}
    # The job runner takes 250 MB and nothing here uses it.
    added["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = environ.get("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    if spec.auth:
        folder = spec.home.server
        added["MLFLOW_FLASK_SERVER_SECRET_KEY"] = (
            environ.get("MLFLOW_FLASK_SERVER_SECRET_KEY") or (folder / "secret-key").read_text()
        )
        added["MLFLOW_AUTH_CONFIG_PATH"] = environ.get("MLFLOW_AUTH_CONFIG_PATH") or str(folder / "auth.ini")
        password = folder / "admin-password"
        if not environ.get("MLFLOW_AUTH_ADMIN_PASSWORD") and password.exists():
            added["MLFLOW_AUTH_ADMIN_PASSWORD"] = password.read_text()
    return added


def make_keys(home: Home) -> None:
    """Makes what a server with accounts needs, readable by this user alone; what is there stays."""
    folder = home.server
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = ConfigParser()
    settings["mlflow"] = {
        "default_permission": "READ",
        "database_uri": f"sqlite:///{folder / 'accounts.db'}".replace("%", "%%"),
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        # To hash a password for each request takes longer than most requests.
        "auth_cache_ttl_seconds": "60",
    }
    for name in ("secret-key", "admin-password"):
        _write_once(folder / name, secrets.token_urlsafe(24))
    text = io.StringIO()
    settings.write(text)
    _write_once(folder / "auth.ini", text.getvalue())


def first_password(home: Home, environ: Mapping[str, str]) -> Path | None:
    """The file with the password of the first account; None where the environment gives it."""
    return None if environ.get("MLFLOW_AUTH_ADMIN_PASSWORD") else home.server / "admin-password"


def make_first_account() -> None:
    """Makes the first account, in the environment of the server, before its workers start.

    Raises:
        SetupError: MLflow's extra for accounts is missing, or it refuses the settings.
    """
    from mlflow.environment_variables import _MLFLOW_AUTH_ADMIN_BOOTSTRAPPED
    from mlflow.exceptions import MlflowException

    try:
        from mlflow.server.auth import bootstrap_admin_user, get_flask_server_secret_key

        get_flask_server_secret_key()
        bootstrap_admin_user()
    except ImportError:
        raise SetupError("accounts need a package that is missing: pip install 'sparkml-track[auth]'") from None
    except MlflowException as error:
        raise SetupError(f"the first account cannot be made: {error.message}") from error
    os.environ[_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED.name] = "true"


def _write_once(path: Path, text: str) -> None:
    """Writes a file that this user alone reads, whole or not at all; one that is there stays."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        with suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
