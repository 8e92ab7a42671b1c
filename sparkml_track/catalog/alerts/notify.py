"""Passing a message on: to a command, a webhook, a file. What fails is said, and tried again with the next check."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping

from sparkml_track.catalog.alerts.alert import Notify

__all__ = ["FAILED", "notify"]

#: Begins what is said of a way that failed.
FAILED = "failed"
_SECONDS = 30.0


def notify(ways: Notify, message: Mapping[str, object]) -> str:
    """Passes a message on in all ways, each of which may fail alone.

    Args:
        ways: that were asked for.
        message: plain values.

    Returns:
        What became of each: "command, file", or "failed: webhook (HTTP 500)".
    """
    text = json.dumps(message, default=str)
    done, failed = list[str](), list[str]()
    for name, send in _sends(ways):
        try:
            send(text)
            done.append(name)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            failed.append(f"{name} ({_reason(error)})")
    said = [f"{FAILED}: {', '.join(failed)}"] if failed else []
    return "; ".join([*said, *([", ".join(done)] if done else [])])


def _sends(ways: Notify) -> Iterator[tuple[str, Callable[[str], object]]]:
    if ways.command:
        yield "command", lambda text: _run(ways.command, text)
    if ways.webhook:
        yield "webhook", lambda text: _post(ways.webhook, text)
    if (file := ways.file) is not None:

        def append(text: str) -> None:
            with file.open("a", encoding="utf-8") as opened:
                opened.write(text + "\n")

        yield "file", append


def _run(command: tuple[str, ...], text: str) -> None:
    subprocess.run(  # noqa: S603  # the user's own command, without a shell
        command, input=text.encode(), check=True, timeout=_SECONDS, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _post(url: str, text: str) -> None:
    request = urllib.request.Request(  # noqa: S310  # http and https alone, as the file was checked for
        url, text.encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
        pass


def _reason(error: Exception) -> str:
    """Without what may be secret: a URL, arguments."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(getattr(error.reason, "strerror", None) or type(error.reason).__name__)
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"still running after {_SECONDS:g} s"
    return str(getattr(error, "strerror", None) or type(error).__name__)
