"""What a sweep does beside its trials."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

import sparkml_track as st
from sparkml_track import plots

# Objectives are pickled; this one and what it looks at are found by name.
LOADING = Event()


def waits(_: object) -> float:
    return float(LOADING.wait(20))


def looks(_: object) -> float:
    return float(LOADING.is_set())


@pytest.mark.parametrize(("trials", "wanted"), [(plots.FEWEST, True), (plots.FEWEST - 1, False)])
def test_what_the_report_needs_is_imported_while_trials_run_if_it_is_needed(
    trials: int, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LOADING.clear()
    monkeypatch.setattr(plots, "load", LOADING.set)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    objective = waits if wanted else looks
    result = st.sweep(objective, {"x": st.uniform(0, 1)}, max_trials=trials, executor="inline", progress=False)
    assert [trial.value for trial in result.trials] == [(float(wanted),)] * trials


def test_no_journal_keeps_what_trials_give_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))

    def objective(trial: st.Trial) -> float:
        trial.give(b"opaque " + bytes(8_000))
        return 1.0 + len(trial.payload)

    result = st.sweep(objective, {"x": st.uniform(0, 1)}, max_trials=2, executor="inline", progress=False)
    assert [trial.value for trial in result.trials] == [(1.0,)] * 2
    files = [path for path in (tmp_path / "journal").rglob("*") if path.is_file()]
    assert files
    assert not any(b"opaque" in path.read_bytes() or path.stat().st_size > 16_000 for path in files)
