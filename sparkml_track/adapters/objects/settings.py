"""Which endpoint and credentials, and for how long a request is tried: from the environment, as AWS's tools take it.

Credentials are those of ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, else of the profile ``AWS_PROFILE`` in
``~/.aws/credentials``, else those that the machine gives (containers and instances have roles); then clients find them.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sparkml_track.errors import SetupError

__all__ = ["KEYS_AT", "NO_CREDENTIALS", "ObjectSettings"]

#: Where credentials are given.
KEYS_AT = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones)"
#: What is said where there are none.
NO_CREDENTIALS = f"no credentials were found: set {KEYS_AT}, or AWS_PROFILE, or give the machine a role"

# Where the machine gives credentials; instances say theirs at an address that may be turned off.
_ROLES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True, slots=True)
class ObjectSettings:
    """How a store is reached.

    Attributes:
        endpoint: its URL; empty for Amazon's own.
        region: of the bucket.
        access_key: empty where the machine gives credentials.
        secret_key: likewise.
        token: of temporary credentials, else empty.
        connect: seconds until a connection stands.
        request: seconds for one request, its body included.
        retries: how often a request is sent again after the store failed (5xx, 429) or did not answer.
        patience: seconds after which no request is sent again.
        lacking: whether there are no credentials, and no place left to ask for them.
    """

    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    connect: float = 5
    request: float = 60
    retries: int = 4
    patience: float = 20
    lacking: bool = False

    @classmethod
    def find(cls, environ: Mapping[str, str] | None = None) -> ObjectSettings:
        """Those of the environment; nothing is asked of the network."""
        environ = os.environ if environ is None else environ
        given = [environ.get(name, "") for name in _KEYS]
        access, secret, token = given if all(given[:2]) else _profile(environ)
        off = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" and not any(map(environ.get, _ROLES))
        return cls(
            environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL", ""),
            environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            access,
            secret,
            token,
            lacking=off and not access,
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log, error or record may hold."""
        return tuple(each for each in (self.secret_key, self.token, self.access_key) if each)

    def check(self) -> ObjectSettings:
        """Refuses what cannot work before anything is asked of the network.

        Raises:
            SetupError: there are no credentials.
        """
        if self.lacking:
            raise SetupError(NO_CREDENTIALS)
        return self

    def hurried(self) -> ObjectSettings:
        """The same for small requests by somebody who makes them again."""
        return replace(self, request=10, retries=1, patience=5)

    def for_client(self) -> dict[str, Any]:
        """Arguments of ``obstore.store.S3Store``."""
        named = {
            "endpoint": self.endpoint,
            "region": self.region,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "session_token": self.token,
        }
        return {
            **{key: value for key, value in named.items() if value},
            "client_options": {**self._timeouts(), "allow_http": self._plain},
            "retry_config": {"max_retries": self.retries, "retry_timeout": timedelta(seconds=self.patience)},
        }

    def for_log(self) -> dict[str, str]:
        """Options of ``deltalake``. A commit is a put that the store refuses where the object is there."""
        named = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
            "AWS_ALLOW_HTTP": "true" if self._plain else "",
        }
        return {
            **{key: value for key, value in named.items() if value},
            **self._timeouts(),
            "aws_conditional_put": "etag",
            "max_retries": str(self.retries),
            "retry_timeout": f"{self.patience:g}s",
        }

    def for_tasks(self) -> dict[str, Any]:
        """Arguments of ``pyarrow.fs.S3FileSystem``, and ``attempts``: plain values, which travel to tasks of Spark.

        They travel in the task's closure, over Spark's own channel, never in its configuration. Where the machine gives
        credentials there are none to travel, and tasks take those of theirs.
        """
        scheme, _, host = self.endpoint.rpartition("://")
        named: dict[str, Any] = {
            "endpoint_override": host,
            "scheme": scheme,
            "region": self.region,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "session_token": self.token,
            "connect_timeout": self.connect,
            "request_timeout": self.request,
            "attempts": self.retries + 1,
        }
        return {key: value for key, value in named.items() if value}

    @property
    def _plain(self) -> bool:
        return self.endpoint.startswith("http://")

    def _timeouts(self) -> dict[str, str]:
        return {"connect_timeout": f"{self.connect:g}s", "timeout": f"{self.request:g}s"}


def _profile(environ: Mapping[str, str]) -> tuple[str, str, str]:
    """The keys of a profile in AWS's file of credentials; empty where there are none."""
    file = environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path(environ.get("HOME", "/")) / ".aws" / "credentials"
    found = configparser.ConfigParser(interpolation=None)
    try:
        found.read(file)
        section = found[environ.get("AWS_PROFILE") or "default"]
        return (*(section.get(name.lower(), "") for name in _KEYS[:2]), section.get(_KEYS[2].lower(), ""))  # type: ignore[return-value]
    except (configparser.Error, KeyError, UnicodeDecodeError):
        return ("", "", "")
