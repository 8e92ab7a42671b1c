from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import cloudpickle
import pytest

from sparkml_track.executors._shipping.by_value import by_value


def test_a_module_under_two_names_is_taken_apart_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As multiprocessing has __main__ a second time, as __mp_main__."""
    script = ModuleType("a_script")
    script.__file__ = str(tmp_path / "a_script.py")
    monkeypatch.setitem(sys.modules, "a_script", script)
    monkeypatch.setitem(sys.modules, "__mp_script__", script)
    before = cloudpickle.list_registry_pickle_by_value()
    with by_value(()):
        assert "a_script" in cloudpickle.list_registry_pickle_by_value()
    assert cloudpickle.list_registry_pickle_by_value() == before
