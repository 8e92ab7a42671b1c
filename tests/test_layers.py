"""The arrows, and who imports which library, that import-linter's contracts in pyproject.toml cannot express.

Read from the source, so typing-only imports, imports inside functions and ``import_module("name")`` all count.
There is no list of exceptions.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sparkml_track"


# Which modules may import a foreign library, as patterns of paths inside the package.
IMPORTERS = {
    "cronsim": ("adapters/cron.py",),
    "cryptography": ("executors/_resident/certificate.py",),
    "deltalake": ("tables/*",),
    "duckdb": ("features/asof/query.py", "sql/_duckdb/*"),
    "fastapi": ("serving/http/*",),
    "hyperopt": ("samplers/_hyperopt*.py", "frontdoors/hyperopt.py", "frontdoors/_hyperopt/*", "plots/*"),
    "IPython": ("adapters/notebooks/*",),
    "jinja2": ("pages/*",),
    "joblib": ("frontdoors/*",),
    "marimo": (
        "adapters/notebooks/*",
        "dashboards/page.py",
        "dashboards/pages/*",
        "dashboards/templates/*",
        "server/lake.py",
    ),
    "mlflow": (
        "adapters/mlflow/*",
        "online_stores/pyfunc.py",
        "frontdoors/_optuna/mlflow_study.py",
        "registries/_mlflow*",
        "slot/_mlflow*",
        "trackers/_mlflow*",
        "scoring*",
        "serving*",
        "server/*",
    ),
    "nbclient": ("jobs/tasks/jupyter.py",),
    "nbformat": ("jobs/tasks/jupyter.py",),
    "optuna": ("samplers/_optuna*.py", "frontdoors/optuna.py", "frontdoors/_optuna/*", "plots/*"),
    "plotly": ("dashboards/charts.py", "plots/_plotly.py"),
    "py4j": ("adapters/spark/*", "api/session.py", "executors/_spark/*", "features/*", "tables/*"),
    "psycopg": ("online_stores/_databases/postgres.py",),
    "pydantic": ("config/*", "trackers/_mlflow/bulk/*"),
    "pyspark": (
        "adapters/spark/*",
        "api/session.py",
        "executors/_spark/*",
        "features/*",
        "frontdoors/groups.py",
        "frontdoors/_groups/scoring.py",
        "frontdoors/_groups/staging.py",
        "frontdoors/sparkml.py",
        "frontdoors/_sparkml_*.py",
        "monitoring*",
        "pipelines/updating/*",
        "pipelines/pipeline.py",
        "scoring*",
        "sql/__init__.py",
        "sql/_spark/*",
        "tables/*",
        "testing/*",
    ),
    "rich": ("api/progress/*", "cli/*"),
    "ray": (),
    "redis": ("online_stores/_databases/redis.py",),
    "sqlalchemy": ("adapters/mlflow/*", "trackers/_mlflow/*"),
    "starlette": ("serving/http/*", "server/*"),
    "typer": ("cli/*",),
    "uvicorn": ("serving/_run.py", "server/export.py"),
    "yaml": ("config/yaml.py",),
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Every module that is imported, with the line."""
    return tuple(imported(path))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(path, node)
            # `from sparkml_track import x` imports the module x, not what the root exports.
            if module != "sparkml_track":
                yield module, node.lineno
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call):
            yield from dynamic(node)


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """What ``from .x import y`` means in this file."""
    parents = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
    return ".".join([*parents, *([node.module] if node.module else [])])


def dynamic(node: ast.Call) -> Iterator[tuple[str, int]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
        yield str(node.args[0].value), node.lineno


def values() -> list[Path]:
    """The modules of the layer that holds ``errors``, as pyproject.toml names them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layer = next(layer for layer in contracts[0]["layers"] if "errors" in layer)
    return [path for path in modules() if inside(path).split("/")[0].removesuffix(".py") in re.findall(r"\w+", layer)]


def violations(paths: list[Path], forbidden: object) -> list[str]:
    assert callable(forbidden)
    found = {f"{inside(p)}:{line} imports {name}" for p in paths for name, line in imports(p) if forbidden(p, name)}
    return sorted(found)


@pytest.mark.parametrize("library", sorted(IMPORTERS))
def test_a_foreign_library_is_imported_where_it_may_be(library: str) -> None:
    outside = [path for path in modules() if not any(fnmatch(inside(path), room) for room in IMPORTERS[library])]
    assert violations(outside, lambda _, name: name.split(".")[0] == library) == []


def test_values_and_slots_import_the_standard_library_only() -> None:
    known = {*sys.stdlib_module_names, "sparkml_track"}
    # MLflow alone imports these.
    slot = sorted({*(PACKAGE / "slot").rglob("*.py")} - {*(PACKAGE / "slot").glob("_mlflow_*.py")})
    assert violations([*values(), *slot], lambda _, name: name.split(".")[0] not in known) == []


def test_what_runs_in_a_slot_imports_nothing_of_ours() -> None:
    def ours(_: Path, name: str) -> bool:
        return name.startswith("sparkml_track") and not name.startswith("sparkml_track.slot")

    assert violations(sorted((PACKAGE / "slot").rglob("*.py")), ours) == []


def test_what_is_private_is_imported_inside_its_own_folder_only() -> None:
    folders = {path.parent for path in modules()}

    def stranger(path: Path, name: str) -> bool:
        parts = name.split(".")
        places = (i for i, part in enumerate(parts) if part.startswith("_") and not part.endswith("__"))
        owners = (ROOT.joinpath(*parts[:i]) for i in places)
        return parts[0] == "sparkml_track" and any(o in folders and o not in path.parents for o in owners)

    assert violations([*modules(), *sorted((ROOT / "jobs").rglob("*.py"))], stranger) == []


def test_nothing_in_the_package_imports_the_conformance_cases() -> None:
    outside = [path for path in modules() if not inside(path).startswith("testing/")]
    assert violations(outside, lambda _, name: name.startswith("sparkml_track.testing")) == []


def test_nothing_imports_the_package_root() -> None:
    """The root imports every floor, lazily, so an import of it would be an arrow that points up."""
    public = {path.stem for path in PACKAGE.glob("*.py")} | {path.name for path in PACKAGE.iterdir() if path.is_dir()}

    def of_root(_: Path, name: str) -> bool:
        head, _, rest = name.partition(".")
        return head == "sparkml_track" and rest.split(".")[0] not in public

    assert violations(modules(), of_root) == []


def test_the_import_is_light_and_quick() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import sparkml_track; t = time.perf_counter() - t;"
        "heavy = {'pyspark', 'mlflow', 'pandas', 'numpy', 'optuna', 'hyperopt'} & set(sys.modules);"
        "print(t, *sorted(heavy))"
    )
    # The best of five: another process on the machine must not fail it.
    answers = [subprocess.check_output([sys.executable, "-c", code], text=True).split() for _ in range(5)]
    assert {name for answer in answers for name in answer[1:]} == set()
    assert min(float(answer[0]) for answer in answers) < 0.2
