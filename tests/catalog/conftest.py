"""What tests of the catalogue share."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.home import Home


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    return Home.find()
