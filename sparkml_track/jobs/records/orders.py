"""What a run is asked for, and its id."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sparkml_track.jobs.tasks.parameters import Value

__all__ = ["Order", "run_id"]


@dataclass(frozen=True)
class Order:
    """What a run is asked for.

    Attributes:
        run: its id.
        project: the name in the config file.
        job: its name there.
        config: the file, absolute.
        cause: manual, schedule, table, file, backfill; of an attempt after the first, repair.
        moment: that the run is for.
        parameters: with their values.
        attempt: from 1.
    """

    run: str
    project: str
    job: str
    config: str
    cause: str
    moment: datetime
    parameters: Mapping[str, Value]
    attempt: int = 1


def run_id(project: str, job: str, moment: datetime, only: str = "") -> str:
    """An id that a person can read and type.

    Args:
        project: of the job.
        job: its name.
        moment: of its beginning, or that it is for.
        only: where one run with this moment may be, and no second: of which kind. Then the id follows from the rest.
    """
    text = f"{project}/{job}/{only}/{moment.astimezone(UTC).isoformat()}"
    end = hashlib.sha256(text.encode()).hexdigest() if only else uuid.uuid4().hex
    return f"{job}-{moment.astimezone(UTC):%Y%m%d-%H%M%S}-{end[:6]}"
