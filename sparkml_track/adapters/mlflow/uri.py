"""Tracking URIs without their secrets."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["has_secret", "redacted", "scrubbed"]

_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_QUERY = re.compile(r"(?i)([?&][^=&]*(?:password|passwd|pwd|token|secret|key|sig)[^=&]*=)[^&#]*")


def redacted(uri: str) -> str:
    """The URI for people: without user names, passwords and tokens."""
    return _QUERY.sub(r"\1***", _USERINFO.sub("***@", uri))


def has_secret(uri: str) -> bool:
    """Whether ``redacted`` takes something away."""
    return redacted(uri) != uri


def scrubbed(text: str, uri: str) -> str:
    """A foreign message without the secrets of ``uri``, however it quotes them."""
    if not has_secret(uri):
        return text
    text = text.replace(uri, redacted(uri))
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, "***")
    return redacted(text)


def _secrets(uri: str) -> set[str]:
    parts = urlsplit(uri)
    userinfo = parts.netloc.rpartition("@")[0]
    found = {userinfo, *userinfo.split(":", 1)[1:], *(value for _, value in parse_qsl(parts.query))}
    return {form for secret in found if len(secret) > 2 for form in (secret, unquote(secret))}
