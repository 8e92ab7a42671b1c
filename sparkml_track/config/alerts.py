"""Files of alerts: ``alerts/late.yaml`` is the alert ``late``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from sparkml_track.catalog.alerts.alert import Alert
from sparkml_track.catalog.alerts.condition import parse_condition
from sparkml_track.catalog.queries.saved import SavedQuery, read_saved
from sparkml_track.config.reading import read_section
from sparkml_track.config.sections.fields import Options, Seconds, Section
from sparkml_track.config.sections.notify import NotifySettings
from sparkml_track.errors import InvalidInput

__all__ = ["alert_names", "load_alert"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")


def _condition(text: str) -> str:
    try:
        parse_condition(text)
    except InvalidInput:
        raise ValueError("a column or rows, a sign and a number or 'text', like share > 0.2") from None
    return text


class AlertSettings(Section):
    """A file of an alert.

    Attributes:
        query: one SELECT, or a file that ends with .sql, relative to the alert's file.
        when: the condition.
        params: values of the query.
        timeout: seconds.
        notify: who is notified.
    """

    query: Annotated[str, Field(min_length=1)]
    when: Annotated[str, AfterValidator(_condition)]
    params: Options = Field(default_factory=dict)
    timeout: Seconds = 600.0
    notify: NotifySettings = NotifySettings()


def alert_names(folder: Path) -> tuple[str, ...]:
    """The alerts of a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def load_alert(folder: Path, name: str) -> Alert:
    """Reads an alert.

    Args:
        folder: where the files are.
        name: of the file, without its end.

    Raises:
        InvalidInput: there is none of this name.
        ConfigError: its file is wrong; one sentence for each problem, with file, line and key.
    """
    known = alert_names(folder)
    if name not in known or not _NAME.fullmatch(name):
        raise InvalidInput(f"there is no alert {name!r} in {folder}; there are: {', '.join(known) or 'none'}")
    file = folder / f"{name}.yaml"
    return _alert(name, read_section(file, AlertSettings), folder)


def _alert(name: str, made: AlertSettings, folder: Path) -> Alert:
    text = made.query.strip()
    query = read_saved(folder / text) if text.endswith(".sql") and " " not in text else SavedQuery(name, text)
    # As words: the query's own header says of what types they are.
    words = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in made.params.items()}
    notify = made.notify.ways(folder)
    return Alert(name, query.text, parse_condition(made.when), query.values(words), made.timeout, notify)
