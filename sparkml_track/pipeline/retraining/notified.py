"""Who is notified of a column or a limit whose state has changed."""

from __future__ import annotations

from collections.abc import Iterator

from sparkml_track.catalog.alerts.alert import Notify
from sparkml_track.catalog.alerts.check import Checked, pass_on
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.pipeline.retraining.standing import Standing
from sparkml_track.slot.host.lock import exclusive_lock

__all__ = ["notify_changes"]


def notify_changes(standing: Standing, prefix: str, ways: Notify, system: SystemTables) -> list[str]:
    """Passes on what is in another state than after the run before; ``system.alerts`` keeps the states.

    Args:
        standing: of this run.
        prefix: of the names of the alerts: the project and its tables.
        ways: who is notified.
        system: keeps the states.

    Returns:
        A sentence for each change.
    """
    system.folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(system.folder / f"alert-{prefix}.lock"):
        done = pass_on(list(_states(standing, prefix)), ways, system)
    return [f"{each.alert.removeprefix(f'{prefix}.')}: {each.state}{_way(each)}" for each in done]


def _states(standing: Standing, prefix: str) -> Iterator[Checked]:
    for column, sentence in standing.drifted.items():
        yield Checked(f"{prefix}.{column}", "triggered", None, sentence, "drift")
    for limit, sentence in standing.passed.items():
        yield Checked(f"{prefix}.{limit}", "triggered", None, sentence, limit)
    for column in standing.calm:
        yield Checked(f"{prefix}.{column}", "ok", None, None, "drift")
    for limit in standing.kept:
        yield Checked(f"{prefix}.{limit}", "ok", None, None, limit)


def _way(each: Checked) -> str:
    return f" (notified: {each.notified})" if each.notified else ""
