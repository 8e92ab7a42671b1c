"""scikit-learn's own checks of estimators, on searches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

import sparkml_track as st
from sparkml_track.frontdoors.sklearn import SparkSearchCV

OFF: dict[str, Any] = {
    "executor": "inline",
    "tracking": st.Tracking(uri="memory:", child_runs="none"),
    "cv": 2,
    "error_score": "raise",
}
SEARCHES = [
    SparkSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, **OFF),
    SparkSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, **OFF),
]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(SEARCHES)  # type: ignore[untyped-decorator]
def test_a_search_is_an_estimator(estimator: Any, check: Any) -> None:
    check(estimator)
