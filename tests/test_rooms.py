"""What a stranger relies on in the layout: no circles, maps that are whole, files and functions of a size to read."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sparkml_track"
MODULES = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in sorted(PACKAGE.rglob("*.py"))}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}
#: The one function whose arguments are the product.
SWEEP = "sweep"


def imported(name: str, path: Path) -> Iterator[str]:
    """The modules of ours that a module imports; in functions and for types alone, too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            for alias in node.names:
                # A name that is not a module comes from the package itself.
                inner = f"{source}.{alias.name}"
                yield from (each for each in (inner if inner in MODULES else source,) if each in MODULES)


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """The modules of one circle, empty if there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_by_way_of_others() -> None:
    # The root exports lazily what lies on every floor; nothing imports it (see test_layers).
    arrows = {name: set(imported(name, path)) for name, path in MODULES.items() if name != "sparkml_track"}
    arrows = {name: others - {"sparkml_track"} for name, others in arrows.items()}
    assert circle(arrows) == []


def test_a_circle_would_be_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}


@pytest.mark.parametrize("name", [n for n, p in MODULES.items() if p.name == "__init__.py" and n != "sparkml_track"])
def test_a_package_has_a_map_of_its_modules(name: str) -> None:
    folder = MODULES[name].parent
    inside = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    described = ast.get_docstring(ast.parse(MODULES[name].read_text())) or ""
    listed = {line.split()[0] for line in described.splitlines()[1:] if line.strip()}
    assert sorted(inside - {"__init__"} - listed) == []


def way_in(package: str) -> str:
    """The map of the way of a trial, in a package or, for ".", in the README."""
    if package == ".":
        return (ROOT / "README.md").read_text().partition("## The way of ")[2]
    described = ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text())) or ""
    return described.partition("The way of ")[2]


@pytest.mark.parametrize("package", [".", "engine", "executors", "slot"])
def test_the_way_of_a_trial_names_files_that_are_there(package: str) -> None:
    named = {word.strip("`,:;()") for word in way_in(package).split() if word.strip("`,:;()").endswith(".py")}
    assert len(named) >= 4
    assert [
        each for each in sorted(named) if not ((PACKAGE / package / each).exists() or (PACKAGE / each).exists())
    ] == []


def test_files_are_short_enough_to_read() -> None:
    files = [path for folder in ("sparkml_track", "jobs") for path in (ROOT / folder).rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    limits = {name: 300 if name.startswith("sparkml_track/engine/") else 350 for name in lengths}
    assert {name: lines for name, lines in lengths.items() if lines > limits[name]} == {}


def functions() -> Iterator[tuple[str, int]]:
    """Every function with the number of lines of its body, without its docstring."""
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                yield f"{name}.{node.name}", (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_functions_are_short_enough_to_read() -> None:
    lengths = dict(functions())
    assert statistics.median(lengths.values()) <= 6
    assert {name: n for name, n in lengths.items() if n > 40 and name.rpartition(".")[2] != SWEEP} == {}


def test_public_names_that_outlive_a_process_are_spelled_in_one_place() -> None:
    texts = {
        name: [n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)]
        for name, path in MODULES.items()
    }
    spelled = {
        name: [text for text in found if isinstance(text, str) and text.startswith("sparkml.")]
        for name, found in texts.items()
        if name != "sparkml_track.schema"
    }
    assert {name: found for name, found in spelled.items() if found} == {}


def test_paths_under_the_home_are_spelled_in_one_place() -> None:
    names = {"journal", "spool", "reports", "steps", "mlflow.db"}
    found = [
        f"{name}:{node.lineno}"
        for name, path in MODULES.items()
        if name != "sparkml_track.home" and not name.startswith("sparkml_track.testing")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        if isinstance(node.right, ast.Constant) and node.right.value in names
    ]
    assert found == []
