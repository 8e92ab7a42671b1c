"""Doing what was planned: one step after the other; what one refuses does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sparkml_track.catalog.unity.client import Missing, UnityClient
from sparkml_track.catalog.unity.plan import Request, Step
from sparkml_track.errors import SyncError

if TYPE_CHECKING:
    Told = Callable[[Step, str], None]

__all__ = ["apply"]


def apply(steps: Iterable[Step], client: UnityClient, ended: Told) -> int:
    """Does what was planned. Done twice it is done once: the next plan has what is left.

    Args:
        steps: of a plan, in its order.
        client: of the server.
        ended: is called after each step with what went wrong, "" if nothing did.

    Returns:
        How many steps were refused.
    """
    failed = 0
    for step in steps:
        said = ""
        try:
            for request in step.requests:
                _send(request, client)
        except SyncError as error:
            said, failed = str(error), failed + 1
        ended(step, said)
    return failed


def _send(request: Request, client: UnityClient) -> None:
    try:
        answer = client.call(request.method, request.path, request.body)
    except Missing:
        if request.method == "DELETE":  # somebody else was quicker
            return
        raise
    if request.finalize:
        version = answer.get("version")
        if not isinstance(version, int):
            raise SyncError(f"the server gave no number to a new version of {request.finalize}: {version!r}")
        path = ("models", request.finalize, "versions", str(version), "finalize")
        client.call("PATCH", path, {"full_name": request.finalize, "version": version})
