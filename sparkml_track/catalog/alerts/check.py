"""An alert, checked: its query is asked, its state compared with the last one, a change passed on and recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from sparkml_track.catalog.alerts.alert import Alert
from sparkml_track.catalog.alerts.notify import FAILED, notify
from sparkml_track.errors import SetupError, SparkmlError
from sparkml_track.governance.names import full_name
from sparkml_track.slot.host.lock import exclusive_lock

if TYPE_CHECKING:
    from sparkml_track.catalog.queries.ask import Catalog

__all__ = ["Checked", "State", "check", "last_states"]

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
    rows = catalog.system.rows("alerts").to_pylist()
    return {str(row["alert"]): row for row in sorted(rows, key=lambda row: row["checked_at"])}


def _checked(alert: Alert, catalog: Catalog) -> Checked:
    last = last_states(catalog).get(alert.name)
    before: State | None = last["state"] if last else None  # type: ignore[assignment]
    state, value, error, tables = _asked(alert, catalog)
    unsaid = last is not None and str(last["notified"] or "").startswith(FAILED)
    notified = ""
    if unsaid or state != (before or "ok"):
        message = {"alert": alert.name, "state": state, "before": before, "value": value, "error": error}
        notified = notify(alert.notify, message | {"condition": alert.when.text, "tables": tables})
    found = Checked(alert.name, state, before, value, alert.when.text, notified, error, tables)
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
