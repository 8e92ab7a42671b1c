"""What an objective reaches: classes, functions and constants beside it, and whole user modules elsewhere."""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType

from sparkml_track import objective as objectives
from sparkml_track.engine.identity.user_modules import from_import, user_module, users_package

__all__ = ["Reached", "inner", "plain", "reached", "used"]


@dataclass(frozen=True, slots=True)
class Reached:
    """Digests by name, each sorted.

    Attributes:
        names: functions, classes and constants of the module that the objective is in, by qualified name: of their
            source. Constants that can change while a process runs (lists, mappings, objects) count by the statement
            that makes them.
        modules: other user modules: of the whole file, so an edited comment counts as well. Of the objective's own
            module the rest does not count: a script may be edited to call ``sweep`` with another ``resume``.
    """

    names: Mapping[str, str]
    modules: Mapping[str, str]


def reached(objective: object, *, script: bool = True) -> Reached:
    """Follows an objective through what it names, calls and imports, also inside of functions.

    What it reaches through strings (``importlib.import_module``) or through files is not seen. Nothing is imported or
    called; an ordinary objective takes a few milliseconds.

    Args:
        objective: a function.
        script: whether names of the script that runs (``__main__``) count, where the objective is from another module.
    """
    walk = _Walk(objective, script=script)
    walk.visit(getattr(objective, "__name__", "objective"), objective)
    names = {name: hashlib.sha256("".join(sorted(all_)).encode()).hexdigest()[:16] for name, all_ in walk.names.items()}
    return Reached(dict(sorted(names.items())), dict(sorted(walk.modules.items())))


def inner(function: object) -> object:
    """The function inside of ``functools.partial``."""
    return inner(function.func) if isinstance(function, partial) else function


def plain(value: object) -> bool:
    """Whether this is a number, a text, a truth value or None."""
    return value is None or isinstance(value, bool | int | float | str)


def used(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Globals and captured variables by name."""
    for name in sorted(_globals(function.__code__)):
        if name in function.__globals__ and not name.startswith("__"):
            yield name, function.__globals__[name]
    yield from _captured(function)


def _captured(function: FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue


def _globals(code: CodeType) -> set[str]:
    """The global names that code reads; an attribute of the same name (``model.score``) is none."""
    here = {str(step.argval) for step in dis.get_instructions(code) if step.opname in _READ}
    return here.union(*(_globals(each) for each in code.co_consts if isinstance(each, CodeType)))


def _names(code: CodeType) -> set[str]:
    """Those and attributes, of which some are modules."""
    within = [_names(each) for each in code.co_consts if isinstance(each, CodeType)]
    return {*code.co_names}.union(*within)


_FUNCTIONS = (FunctionType, MethodType, partial)
_READ = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})


class _Walk:
    """Collects what is reached; ``names`` may be had by several things at once."""

    def __init__(self, objective: object, *, script: bool) -> None:
        function = inner(objective)
        if not hasattr(function, "__qualname__"):
            function = type(function)
        # What a script holds is taken by name, wherever the function around it is from.
        home = str(getattr(function, "__module__", ""))
        self._homes = ("__main__", home) if script else (home,)
        files = (getattr(sys.modules.get(name), "__file__", None) for name in self._homes)
        self._files = [os.path.realpath(file) for file in files if file]
        self._statements: dict[str, str] | None = None
        self._seen: set[int] = set()
        self._looked: set[str] = set()
        self.names: dict[str, set[str]] = {}
        self.modules: dict[str, str] = {}

    def visit(self, name: str, value: object, used_names: set[str] | None = None) -> None:
        """Takes what a name stands for."""
        if plain(value) or (isinstance(value, tuple) and all(map(plain, value))):
            self._note(name, repr(value))
        elif isinstance(value, ModuleType):
            self._package(value.__name__, used_names or set())
        elif id(value) not in self._seen:
            self._seen.add(id(value))
            self._object(name, value)

    def _object(self, name: str, value: object) -> None:
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, partial | MethodType):
            for each in _pieces(value):
                self.visit(name, each)
        else:
            self._instance(name, value)

    def _instance(self, name: str, value: object) -> None:
        made = self._made().get(name)
        if made is not None:
            self._note(name, made)
        with suppress(AttributeError):  # as of functools.lru_cache
            self.visit(name, inspect.getattr_static(value, "__wrapped__"))
        self.visit(name, type(value))
        if callable(value):
            for given in getattr(value, "__dict__", {}).values():
                if isinstance(given, _FUNCTIONS):
                    self.visit(name, given)

    def _function(self, function: FunctionType, *, note: bool = True) -> None:
        written = str(function.__globals__.get("__name__", ""))
        ours = function.__module__ in self._homes
        if note and ours:
            self._note(function.__qualname__, objectives.source_digest(function))
        if written not in self._homes:  # of another module, or a decorator's around one of ours
            self._module(written)
            # Functions for Spark keep what they wrap in an object.
            for name, value in (*_captured(function), ("__wrapped__", getattr(function, "__wrapped__", None))):
                if isinstance(value, _FUNCTIONS):
                    self.visit(name, value)
            return
        names = _names(function.__code__)
        for name, value in used(function):
            self.visit(name, value, names)
        for name in _imports(function.__code__, str(function.__globals__.get("__package__") or "")):
            self._package(name, names)

    def _class(self, kind: type) -> None:
        if kind.__module__ not in self._homes:
            self._module(kind.__module__)
            return
        try:
            self._note(kind.__qualname__, inspect.getsource(kind))
            note = False
        except (OSError, TypeError):  # typed in: its methods show it
            note = True
        for base in kind.__bases__:
            self.visit(base.__name__, base)
        for member in vars(kind).values():
            for function in _functions(member):
                if id(function) not in self._seen:
                    self._seen.add(id(function))
                    self._function(function, note=note)

    def _package(self, name: str, names: set[str]) -> None:
        """A module, and those of its modules that are named where it is used."""
        self._module(name)
        if users_package(name):
            for each in sorted(names):
                self._module(f"{name}.{each}")

    def _module(self, name: str) -> None:
        """Takes a module and what it imports."""
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one in self._looked or one in self._homes:
                continue
            self._looked.add(one)
            found = user_module(one)
            if found is not None and os.path.realpath(found.file) not in self._files:
                self.modules[one] = found.digest
                waiting += [*found.imports, *_above(one)]

    def _note(self, name: str, text: str) -> None:
        self.names.setdefault(name, set()).add(text)

    def _made(self) -> Mapping[str, str]:
        """The statements that give a name its value, in the objective's module or the script."""
        if self._statements is None:
            self._statements = {}
            for file in self._files:
                with suppress(OSError, ValueError, SyntaxError):
                    self._statements |= _statements(Path(file).read_text(encoding="utf-8"))
        return self._statements


def _pieces(value: partial[object] | MethodType) -> Sequence[object]:
    if isinstance(value, MethodType):
        return (value.__func__, value.__self__)
    return [each for each in (value.func, *value.args, *value.keywords.values()) if not plain(each)]


def _above(name: str) -> Sequence[str]:
    package = name.rpartition(".")[0]
    return (package,) if package else ()


def _functions(member: object) -> Iterator[FunctionType]:
    """The functions inside of what a class has under one name."""
    inside = (member, *(getattr(member, name, None) for name in ("__func__", "fget", "fset", "fdel", "func")))
    yield from (each for each in inside if isinstance(each, FunctionType))


def _imports(code: CodeType, package: str) -> Iterator[str]:
    """The modules that code imports when it runs."""
    before: list[object] = [None, None]
    for step in dis.get_instructions(code):
        if step.opname == "EXTENDED_ARG":  # a prefix of the next one, in large functions
            continue
        if step.opname == "IMPORT_NAME":
            level, names = before
            fields = names if isinstance(names, tuple) else ()
            yield from from_import(str(step.argval), level if isinstance(level, int) else 0, fields, package)
        before = [before[1], step.argval]
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _imports(each, package)


def _statements(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = found.get(target.id, "") + (ast.get_source_segment(text, node) or "")
    return found
