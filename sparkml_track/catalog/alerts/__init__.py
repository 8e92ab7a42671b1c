"""Alerts: a query, a condition on its answer, and who is notified when the state changes.

alert      what an alert is
condition  ``share > 0.2`` on the first row, or on how many rows there are
check      an alert, checked: its state goes to ``system.alerts``
notify     a command, a webhook, a file
"""

from __future__ import annotations

from sparkml_track.catalog.alerts.alert import Alert, Notify
from sparkml_track.catalog.alerts.check import Checked, check

__all__ = ["Alert", "Checked", "Notify", "check"]
