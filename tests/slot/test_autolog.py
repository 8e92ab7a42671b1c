"""Autologging that waits for a library, in processes that never import MLflow itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml_track.slot.autolog import FLAVORS

#: A library and MLflow's module for it, which writes down how it was called.
LIBRARY = "import json\nfrom {name}.inner import VALUE\n"
MLFLOW = """
import sys
def autolog(**options):
    if "wrong" in options:
        raise TypeError("unexpected keyword argument 'wrong'")
    print("autolog", sys.modules["xgboost"].VALUE, sorted(options.items()))
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    for name in ("xgboost", "lightgbm"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(LIBRARY.format(name=name))
        (tmp_path / name / "inner.py").write_text("VALUE = 7\n")
        (tmp_path / name / "data.txt").write_text("kept")
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text("print('mlflow')")
    (tmp_path / "mlflow" / "xgboost.py").write_text(MLFLOW)
    return tmp_path


def run(packages: Path, code: str, flavors: dict[str, dict[str, object]]) -> tuple[list[str], str]:
    root = Path(__file__).resolve().parents[2]
    head = f"import sys\nsys.path[:0] = {[str(packages), str(root)]}\n"
    head += "from sparkml_track.slot.autolog import autolog_on_import\n"
    body = code.replace("ON", f"autolog_on_import({json.dumps(json.dumps(flavors))})")
    done = subprocess.run([sys.executable, "-S", "-c", head + body], capture_output=True, text=True, check=False)
    return done.stdout.splitlines(), done.stderr


def test_a_library_that_is_imported_later_switches_it_on(packages: Path) -> None:
    out, err = run(packages, "ON\nprint('before')\nimport xgboost\nimport xgboost", {"xgboost": {}})
    assert out == ["before", "mlflow", "autolog 7 [('log_models', False), ('silent', True)]"], err


def test_a_library_that_is_there_already_switches_it_on_at_once(packages: Path) -> None:
    out, err = run(packages, "import xgboost\nON\nprint('after')", {"xgboost": {"log_models": True}})
    assert out == ["mlflow", "autolog 7 [('log_models', True), ('silent', True)]", "after"], err


def test_what_is_not_imported_costs_nothing(packages: Path) -> None:
    out, err = run(packages, "ON\nimport lightgbm\nprint('mlflow' in sys.modules)", {"xgboost": {}})
    assert out == ["False"], err


def test_the_library_is_as_it_would_be_without(packages: Path) -> None:
    look = (
        "import importlib.resources, xgboost\n"
        "print(type(xgboost.__loader__).__name__, type(xgboost.__spec__.loader).__name__)\n"
        "print((importlib.resources.files('xgboost') / 'data.txt').read_text())"
    )
    out, err = run(packages, f"ON\n{look}", {"xgboost": {}})
    assert out[-2:] == ["SourceFileLoader SourceFileLoader", "kept"], err


def test_a_library_that_is_not_installed_is_missed_as_ever(packages: Path) -> None:
    out, err = run(
        packages, "ON\ntry:\n    import keras\nexcept ImportError as error:\n    print(error)", {"keras": {}}
    )
    assert out == ["No module named 'keras'"], err


def test_options_that_mlflow_does_not_take_are_named(packages: Path) -> None:
    out, err = run(packages, "ON\nimport xgboost", {"xgboost": {"wrong": 1}})
    assert out == ["mlflow"]
    assert "ValueError: autolog of xgboost with {'wrong': 1} cannot be switched on: unexpected keyword" in err


def test_flavors_are_modules_of_mlflow_that_log_by_themselves() -> None:
    from importlib.util import find_spec

    assert all(find_spec(f"mlflow.{name}") is not None for name in FLAVORS)
