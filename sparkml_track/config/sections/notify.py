"""Who is notified."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from sparkml_track.catalog.alerts.alert import Notify
from sparkml_track.config.sections.fields import Section, Text

__all__ = ["NotifySettings"]


def _url(text: str) -> str:
    if not re.match(r"https?://[^/\s]+", text):
        raise ValueError("a URL that begins with http:// or https://")
    return text


class NotifySettings(Section):
    """The section ``notify``.

    Attributes:
        command: program and arguments.
        webhook: a URL.
        file: relative to the file that names it.
    """

    command: Annotated[list[str], Field(min_length=1)] | None = None
    webhook: Annotated[str, AfterValidator(_url)] | None = None
    file: Text | None = None

    def ways(self, folder: Path) -> Notify:
        """As the notifier takes them; paths are relative to a folder."""
        return Notify(tuple(self.command or ()), self.webhook or "", None if self.file is None else folder / self.file)
