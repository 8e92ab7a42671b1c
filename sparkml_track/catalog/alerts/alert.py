"""What an alert is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track.catalog.alerts.condition import Condition

__all__ = ["Alert", "Notify"]


@dataclass(frozen=True)
class Notify:
    """Who learns of a change of state; each that is given.

    Attributes:
        command: a program with its arguments, started without a shell; the message is its standard input.
        webhook: an http or https URL that the message is posted to. It may hold a token: it is never shown.
        file: the message is a line at its end.
    """

    command: tuple[str, ...] = ()
    webhook: str = field(default="", repr=False)
    file: Path | None = None


@dataclass(frozen=True)
class Alert:
    """A question that is asked again and again.

    Attributes:
        name: of the file it is in.
        query: one SELECT.
        when: what must hold of the answer for the alert to be triggered.
        params: values of the query.
        timeout: seconds.
        notify: who is notified.
    """

    name: str
    query: str
    when: Condition
    params: Mapping[str, object] = field(default_factory=dict)
    timeout: float | None = 600.0
    notify: Notify = field(default_factory=Notify)
