"""The last retraining that was begun. It is written before its first step, so a process that is killed began it too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from sparkml_track.errors import SetupError
from sparkml_track.pipeline.files import write_whole

__all__ = ["Record", "read_record", "write_record"]


@dataclass(frozen=True)
class Record:
    """A retraining.

    Attributes:
        number: from 1.
        at: when it was begun.
        why: the sentence of its verdict.
        run: id of the monitoring job that said so.
        warm_start: the sweep whose trials its sampler begins with; None for none.
        done: steps that have ended.
        ended: whether all have.
    """

    number: int
    at: datetime
    why: str
    run: str
    warm_start: str | None
    done: tuple[str, ...] = ()
    ended: bool = False

    def after(self, step: str, *, last: bool) -> Record:
        """With one more step that has ended."""
        return replace(self, done=(*self.done, step), ended=last)


def read_record(path: Path) -> Record | None:
    """The last one, None if none was begun.

    Raises:
        SetupError: the file cannot be read.
    """
    try:
        plain: Mapping[str, object] = json.loads(path.read_text("utf-8"))
        at, done = datetime.fromisoformat(str(plain["at"])), plain["done"]
        if not isinstance(done, list) or at.tzinfo is None:
            raise ValueError("it has another form")
        return Record(**(dict(plain) | {"at": at, "done": tuple(done)}))  # type: ignore[arg-type]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(
            f"{path}, the record of the last retraining, cannot be read ({error}); delete it if a retraining may begin"
        ) from None


def write_record(path: Path, record: Record) -> None:
    """Takes the place of the last one, whole or not at all.

    Raises:
        SetupError: it cannot be written.
    """
    try:
        write_whole(path, json.dumps(asdict(record) | {"at": record.at.isoformat()}, indent=1))
    except OSError as error:
        raise SetupError(f"{path} cannot be written ({error.strerror or error}), so no retraining was begun") from error
