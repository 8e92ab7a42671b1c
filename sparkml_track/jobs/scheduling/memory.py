"""What the scheduler has seen and done, in a file that is replaced whole."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparkml_track.errors import SetupError

__all__ = ["Memory", "Seen"]


@dataclass
class Seen:
    """What is known of one job.

    Attributes:
        handled: the last scheduled time that was looked at.
        waiting: scheduled times that are still to be run.
        tables: versions by name, None where there was no table.
        files: size and time of change, by path; None before the first look.
    """

    handled: datetime
    waiting: list[datetime] = field(default_factory=list)
    tables: dict[str, int | None] = field(default_factory=dict)
    files: dict[str, list[int]] | None = None


class Memory:
    """The file.

    Args:
        path: of it; made with the first save.

    Raises:
        SetupError: it is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: dict[str, Seen] = {}
        self._saved = ""
        try:
            self._saved = path.read_text()
            self._jobs = {name: _seen(plain) for name, plain in json.loads(self._saved).items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SetupError(
                f"{path}, where the scheduler keeps what it has done, cannot be read ({error}); delete it, and nothing "
                "that was missed until now is caught up"
            ) from None

    def of(self, job: str, now: datetime) -> Seen:
        """What is known of a job; one that is new has everything before now behind it."""
        return self._jobs.setdefault(job, Seen(handled=now))

    def save(self) -> None:
        """Keeps it, if anything has changed.

        Raises:
            SetupError: it cannot be written.
        """
        text = json.dumps({name: _plain(seen) for name, seen in self._jobs.items()}, indent=1)
        if text == self._saved:
            return
        beside = self._path.with_suffix(".new")
        try:
            with beside.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise SetupError(f"{self._path} cannot be written: {error.strerror or error}") from error
        self._saved = text


def _plain(seen: Seen) -> dict[str, object]:
    return {
        "handled": seen.handled.isoformat(),
        "waiting": [each.isoformat() for each in seen.waiting],
        "tables": seen.tables,
        "files": seen.files,
    }


def _seen(plain: dict[str, Any]) -> Seen:
    files = plain["files"]
    return Seen(
        handled=_moment(plain["handled"]),
        waiting=[_moment(each) for each in plain["waiting"]],
        tables={str(name): None if version is None else int(version) for name, version in plain["tables"].items()},
        files=None if files is None else {str(path): [int(each) for each in stamp] for path, stamp in files.items()},
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
