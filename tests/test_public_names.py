"""Public names are listed, defined and pinned. That the lists are sorted is a lint rule (RUF022)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sparkml_track"


def public_modules() -> list[Path]:
    """Those without a leading underscore in their path; a package's ``__init__`` is its public face."""
    # A folder without one holds files that are run, such as the pages of marimo, and not imported.
    files = [path for path in PACKAGE.rglob("*.py") if (path.parent / "__init__.py").is_file()]
    inner = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in files}
    return sorted(p for p, parts in inner.items() if not any(x.startswith("_") and x != "__init__" for x in parts))


def exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return list(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return None


def defined(tree: ast.Module) -> set[str]:
    """Names bound at the top level, in ``if`` blocks too."""
    names = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)
             for alias in node.names}  # fmt: skip
    names |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)}
    return names | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def is_docstring_only(tree: ast.Module) -> bool:
    return all(
        isinstance(n, ast.Expr) or (isinstance(n, ast.ImportFrom) and n.module == "__future__") for n in tree.body
    )


@pytest.mark.parametrize("path", public_modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_public_module_lists_the_names_it_has(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if is_docstring_only(tree):
        return
    names = exported(tree)
    assert names is not None, "no __all__"
    assert len(names) == len(set(names))
    # A module with __getattr__ gives its names lazily.
    if "__getattr__" not in defined(tree):
        assert sorted(set(names) - defined(tree)) == []


def test_every_listed_name_of_the_package_can_be_had() -> None:
    import sparkml_track

    assert [name for name in sparkml_track.__all__ if not hasattr(sparkml_track, name)] == []
