"""An alert, checked: its query is asked, its state compared with the last one, a change passed on and recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from sparkml_track.catalog.alerts.alert import Alert, Notify
from sparkml_track.catalog.alerts.notify import FAILED, notify
from sparkml_track.errors import SetupError, SparkmlError
from sparkml_track.governance.names import full_name
from sparkml_track.slot.host.lock import exclusive_lock

if TYPE_CHECKING:
    from sparkml_track.catalog.queries.ask import Catalog
    from sparkml_track.catalog.system.store import SystemTables

__all__ = ["Checked", "State", "check", "last_states", "pass_on"]

State = Literal["ok", "triggered", "unknown"]


@dataclass(frozen=True)
class Checked:
    """What a check came to.

    Attributes:
        alert: its name.
        state: "ok", "triggered", or "unknown" where the query failed or gave nothing to compare.
        before: the state of the check before, None for the first.
        value: what was compared, as text; None if there was none.
        condition: as it was written.
        notified: what became of each way; empty where nobody was to be notified.
        error: why the query failed, None if it did not.
        tables: the versions that were read.
    """

    alert: str
    state: State
    before: State | None
    value: str | None
    condition: str
    notified: str = ""
    error: str | None = None
    tables: tuple[str, ...] = ()


def check(alert: Alert, catalog: Catalog) -> Checked:
    """Asks once. Who is to be notified is, when the state is another than before, or when that failed before.

    Of a first check only what is not ok is a change. A notification comes at least once: one that a process sent before
    it died is sent again.

    Args:
        alert: which.
        catalog: that is asked, and whose ``system.alerts`` keeps the states.

    Raises:
        TableError: the state cannot be recorded.
    """
    folder = catalog.home.system
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(folder / f"alert-{alert.name}.lock"):
            return _checked(alert, catalog)
    except OSError as error:
        raise SetupError(f"{folder} cannot be written: {error.strerror or error}") from error


def last_states(catalog: Catalog) -> dict[str, dict[str, object]]:
    """The last row of each alert in ``system.alerts``, by its name."""
    return _last(catalog.system)


def pass_on(found: Sequence[Checked], ways: Notify, system: SystemTables) -> list[Checked]:
    """Notifies of what is in another state than at the check before, or could not be said then, and records it.

    Of a first check only what is not ok is a change. What has not changed is not recorded.

    Args:
        found: with what was seen now; the state before is looked up.
        ways: who is notified.
        system: whose table ``alerts`` keeps the states.

    Returns:
        What was passed on, with the state before and what became of each way.

    Raises:
        TableError: the states cannot be recorded.
    """
    last = _last(system)
    done = [_passed_on(each, ways, last.get(each.alert)) for each in found if _changed(each, last.get(each.alert))]
    if done:
        system.append("alerts", [_row(each) for each in done])
    return done


def _changed(found: Checked, last: Mapping[str, object] | None) -> bool:
    unsaid = last is not None and str(last["notified"] or "").startswith(FAILED)
    return unsaid or found.state != (last["state"] if last else "ok")


def _passed_on(found: Checked, ways: Notify, last: Mapping[str, object] | None) -> Checked:
    before: Any = last["state"] if last else None
    message = {"alert": found.alert, "state": found.state, "before": before, "value": found.value, "error": found.error}
    notified = notify(ways, message | {"condition": found.condition, "tables": found.tables})
    return replace(found, before=before, notified=notified)


def _last(system: SystemTables) -> dict[str, dict[str, object]]:
    rows = system.rows("alerts").to_pylist()
    return {str(row["alert"]): row for row in sorted(rows, key=lambda row: row["checked_at"])}


def _checked(alert: Alert, catalog: Catalog) -> Checked:
    last = _last(catalog.system).get(alert.name)
    state, value, error, tables = _asked(alert, catalog)
    before: Any = last["state"] if last else None
    found = Checked(alert.name, state, before, value, alert.when.text, "", error, tables)
    if _changed(found, last):
        found = _passed_on(found, alert.notify, last)
    catalog.system.append("alerts", [_row(found)])
    return found


def _asked(alert: Alert, catalog: Catalog) -> tuple[State, str | None, str | None, tuple[str, ...]]:
    try:
        result = catalog.sql(alert.query, alert.params, timeout=alert.timeout)
        value = alert.when.value_in(result.rows)
    except SparkmlError as error:
        return "unknown", None, str(error), ()
    tables = tuple(f"{full_name(ref.name)}@{ref.version}" for ref in result.tables)
    holds = alert.when.holds(value)
    state: State = "unknown" if holds is None else "triggered" if holds else "ok"
    return state, None if value is None else str(value), None, tables


def _row(found: Checked) -> dict[str, object]:
    kept = ("alert", "state", "before", "value", "condition", "notified", "error")
    return {name: getattr(found, name) for name in kept} | {
        "checked_at": datetime.now(UTC),
        "tables": json.dumps(found.tables),
    }
