"""URIs without their secrets: of tracking stores, databases and Spark Connect servers. The one redaction there is.

URIs are taken apart by their separators, since a password may hold any of them: whoever writes it unquoted must not see
it in a log. So what could be a secret is hidden, also where that hides more than need be.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from sparkml_track.errors import SpecError

__all__ = ["below", "has_secret", "redacted", "scrubbed", "whole_uri"]

_HIDDEN = "***"
#: What the name of a setting holds whose value is a secret; also of settings inside a value, as in odbc_connect.
_WORDS = ("password", "passwd", "pwd", "token", "secret", "key", "sig", "auth", "credential", "passphrase")
_SEPARATORS = "?&;#"


def redacted(uri: str) -> str:
    """The URI for people: without user names, passwords and tokens."""
    made, end = [], 0
    for start, stop in _secrets(uri):
        made += [uri[end:start], _HIDDEN]
        end = stop
    return "".join([*made, uri[end:]])


def below(root: str, *parts: str) -> str:
    """The place of something below the artifacts of an experiment, as MLflow itself names it."""
    if root.startswith("/"):
        return "/".join([root.rstrip("/"), *parts])
    from mlflow.utils.uri import append_to_uri_path

    return str(append_to_uri_path(root, *parts))


def has_secret(uri: str) -> bool:
    """Whether ``redacted`` takes something away."""
    return next(_secrets(uri), None) is not None


def scrubbed(text: str, uri: str) -> str:
    """A foreign message without the secrets of ``uri`` and of the environment, however it quotes them."""
    text = text.replace(uri, redacted(uri))
    for secret in sorted({*_forms(uri), *_environment()}, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def whole_uri(target: str, kept: str | None) -> str | None:
    """The URI of a store that a journal names, with its secrets, which journals do not keep.

    Args:
        target: the sweep, for the message.
        kept: as the journal has it; None for the home's own.

    Raises:
        SpecError: it had secrets, and ``MLFLOW_TRACKING_URI`` is another one.
    """
    if not kept or "***" not in kept:
        return kept
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    if given and redacted(given) == kept:
        return given
    raise SpecError(
        f"sweep {target!r} is tracked in {kept}, and journals keep no secrets: give the whole URI with --tracking-uri "
        "(in Python tracking_uri=...), or set MLFLOW_TRACKING_URI to it"
    )


def _secrets(uri: str) -> Iterator[tuple[int, int]]:
    """Where secrets begin and end, in order."""
    scheme = uri.find("://")
    rest = scheme + 3 if scheme >= 0 else 0
    at = uri.rfind("@")
    # "scheme:///path" has no host, and so no user.
    if scheme >= 0 and at >= rest and not uri.startswith("/", rest):
        # All up to the last one: a password may hold "/", "?" and "@" itself.
        yield rest, at
        rest = at + 1
    yield from _settings(uri, rest)


def _environment() -> Iterator[str]:
    """What MLflow's client sends of the environment, as it is and as it is in a header."""
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME", ""), os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    basic = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode() if password else ""
    for secret in (password, os.environ.get("MLFLOW_TRACKING_TOKEN", ""), basic):
        # A line end, as of a token from a file, is written as its escape.
        yield from (form for form in {secret, secret.strip()} if len(form) > 2)


def _settings(uri: str, start: int) -> Iterator[tuple[int, int]]:
    """Values of settings whose names say that they are secret, behind any separator."""
    while start < len(uri):
        ends = [place for one in _SEPARATORS if (place := uri.find(one, start)) >= 0]
        end = min(ends, default=len(uri))
        name, equals, value = uri[start:end].partition("=")
        if equals and value and (_is_secret(name) or _holds_setting(value)):
            yield end - len(value), end
        start = end + 1


def _is_secret(name: str) -> bool:
    plain = unquote_plus(name).lower()
    return any(word in plain for word in _WORDS)


def _holds_setting(value: str) -> bool:
    """Whether a value is settings itself, quoted, with a secret among them: ``odbc_connect=DRIVER%3D...%3BPWD%3Dx``."""
    plain = unquote_plus(unquote_plus(value))
    return "=" in plain and any(_is_secret(part.partition("=")[0]) for part in plain.replace("&", ";").split(";"))


def _forms(uri: str) -> Iterator[str]:
    """Each secret as it may be quoted in a message: as given, decoded, encoded, and the parts of a user's."""
    for start, stop in _secrets(uri):
        whole = uri[start:stop]
        user, colon, password = whole.partition(":")
        for secret in (whole, password if colon else user):
            for plain in {secret, unquote(secret), unquote_plus(secret)}:
                yield from (form for form in (plain, quote(plain, safe=""), quote_plus(plain)) if len(form) > 2)
