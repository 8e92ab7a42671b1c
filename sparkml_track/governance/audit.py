"""What was done to which thing, by whom, with what result: rows of ``system.audit``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sparkml_track.errors import AccessDenied, TableError
from sparkml_track.governance import spool
from sparkml_track.governance.principals import account
from sparkml_track.readable import short_text

__all__ = ["Deed", "audited"]

_log = logging.getLogger("sparkml_track.catalog")
_LONGEST = 1000  # characters of a request and of a result


@dataclass
class Deed:
    """What somebody does.

    Attributes:
        action: "WRITE", "GRANT" ...
        thing: the name of a thing in full.
        request: with what.
        result: what came of it; set by whoever does it.
    """

    action: str
    thing: str
    request: Mapping[str, object]
    result: str = "done"


@contextmanager
def audited(folder: Path, deed: Deed) -> Iterator[Deed]:
    """Records what is done inside, also if it fails; what was done stays done if that cannot be recorded.

    Args:
        folder: of rows on their way into system tables.
        deed: what is done.
    """
    try:
        yield deed
    except AccessDenied as error:
        _record(folder, deed, f"denied: {error}")
        raise
    except BaseException as error:
        _record(folder, deed, f"failed: {type(error).__name__}: {error}")
        raise
    _record(folder, deed, deed.result)


def _record(folder: Path, deed: Deed, result: str) -> None:
    row = {
        "event_time": datetime.now(UTC),
        "user": account(),
        "action": deed.action,
        "object": deed.thing,
        "request": short_text(json.dumps(dict(deed.request), default=str), _LONGEST),
        "result": short_text(" ".join(result.split()), _LONGEST),
    }
    try:
        spool.append(folder, "audit", [row])
    except TableError as error:
        _log.warning("%s of %s is not in system.audit: %s", deed.action.lower(), deed.thing, error)
