"""Bodies and headers of requests, within bounds."""

from __future__ import annotations

import hmac
import re
import uuid
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from sparkml_track.serving._spec import Limits
from sparkml_track.serving.protocol.refused import Refused

__all__ = ["bears", "body_of", "client_request_id", "shown_id"]

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def client_request_id(request: Request) -> str | None:
    """What a request names itself, if that can stand in logs, headers and tables."""
    given = request.headers.get("x-request-id", "")
    return given if _SANE.fullmatch(given) else None


def shown_id(request: Request) -> str:
    """What the client reads as the id of a request that is not kept."""
    return client_request_id(request) or uuid.uuid4().hex


def bears(request: Request, token: str | None) -> bool:
    """Whether a request bears the token; compared in a time that says nothing about it."""
    if token is None:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    return same and scheme.lower() == "bearer"


async def body_of(request: Request, limits: Limits) -> bytes:
    """The body of a request.

    Raises:
        Refused: it is too large, or compressed, or the client went away.
    """
    if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
        raise Refused(f"the body is encoded as {encoding:.40}; send it as it is", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > limits.bytes:
        raise _too_large(f"{int(said):,}", limits)
    parts, size = list[bytes](), 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limits.bytes:
                raise _too_large(f"more than {limits.bytes:,}", limits)
            parts.append(part)
    except ClientDisconnect:
        raise Refused("the client went away before its request was whole") from None
    return b"".join(parts)


def _too_large(found: str, limits: Limits) -> Refused:
    return Refused(
        f"the body has {found} bytes, and {limits.bytes:,} are allowed; send the rows in several requests",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
