"""The leak check: features that know the future, and features that may know the label.

audited   builds a training set again of what was known at a moment
sources   tables as they were known at a moment
scratch   tables that are there only while it lasts
compared  two training sets side by side
label     how well each feature alone predicts the label
report    what an audit is told and what it reports
"""

from __future__ import annotations

from sparkml_track.features.leaks.audited import audit
from sparkml_track.features.leaks.report import AuditReport, Cut, Hint, Known, Leak

__all__ = ["AuditReport", "Cut", "Hint", "Known", "Leak", "audit"]
