"""Objectives: functions of one argument, the trial; named in config files as ``package.module:function``."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Protocol

from sparkml_track.errors import ObjectiveError

__all__ = ["Trial", "find_code", "name_of", "problems", "resolve", "source", "source_digest"]

Function = Callable[..., object]


class Trial(Protocol):
    """What an objective gets; for annotations. The slot has the real one (``sparkml_track.slot.attempt.context``)."""

    params: dict[str, object]
    number: int
    unit: int
    seed: int
    attempt: int
    data: dict[str, object]
    rank: int
    world_size: int

    def all_gather(self, value: object) -> list[object]:
        """Gives a small value to all ranks of a gang, and waits for theirs; alone that is a list of one."""

    def barrier(self) -> None:
        """Waits until all ranks of a gang have called it."""

    @property
    def payload(self) -> bytes:
        """What a front door gave with this attempt; empty in a sweep."""

    def give(self, data: bytes) -> None:
        """Sends bytes back to a front door with the outcome, up to ``payload_limit``; a sweep drops them."""

    def file(self, name: str) -> str:
        """The path of a file that a front door gave with this attempt."""

    @property
    def artifact_dir(self) -> str:
        """A folder; what is left in it goes to the child run, or stays under ``artifact_root`` where that is set."""

    @property
    def checkpoint_dir(self) -> str:
        """A folder kept across attempts at this trial: on one host, or everywhere where ``checkpoint_root`` is set.

        It is removed when the trial has ended. An attempt that was given up may live on for a moment and still write:
        write under another name, then rename.
        """

    def report(self, metrics: dict[str, float], step: int) -> None:
        """Sends metrics of one step; returns at once."""

    def should_stop(self) -> bool:
        """Waits for the decision on the last report."""


def find_code(folders: Sequence[str]) -> None:
    """Puts folders first on ``sys.path``, where they stay, because what is there may import more later."""
    if sys.path[: len(folders)] != list(folders):
        sys.path[:] = [*folders, *(each for each in sys.path if each not in folders)]


def resolve(path: str, code: Sequence[str] = ()) -> Function:
    """Imports a function.

    Args:
        path: ``package.module:function``.
        code: folders put first on ``sys.path``, where they stay, because the objective may import later.

    Raises:
        ObjectiveError: the path has another form, the module or one that it uses is that of other folders, it does not
            import, or has no such function.
    """
    module_name, colon, name = path.partition(":")
    if not (colon and module_name and name.isidentifier()):
        raise ObjectiveError(f"{path!r} names no function; allowed is package.module:function")
    find_code(code)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        _check_unhidden(path, module_name, code)
        where = f" in {', '.join(code)} or" if code else ""
        raise ObjectiveError(
            f"{path!r} cannot be imported: no module {error.name!r}{where} among the installed packages; "
            "name its folder under 'code:', or install it"
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever the user's module does when it is imported
        text = f"{type(error).__name__}: {error}"[:500]
        raise ObjectiveError(
            f"{path!r} cannot be imported: {text[:500]} (raised while importing {module_name})"
        ) from None
    _check_unhidden(path, module_name, code)
    function: Function | None = getattr(module, name, None)
    if not callable(function):
        near = get_close_matches(name, [each for each in vars(module) if callable(getattr(module, each))], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ObjectiveError(f"{path!r} cannot be found: module {module_name} has no function {name!r}{hint}")
    return function


def _check_unhidden(path: str, module: str, code: Sequence[str]) -> None:
    """A process has one module of a name: another project's, imported earlier, would run in place of this one's."""
    wanted = [module, *sorted(_used(sys.modules[module]))] if module in sys.modules else [module.partition(".")[0]]
    for name in wanted:
        ours, theirs = _file_of(name, code), getattr(sys.modules.get(name), "__file__", None)
        if ours and theirs and ours.resolve() != Path(theirs).resolve():
            raise ObjectiveError(
                f"{path!r} needs {name!r} from {ours}, but this process has imported {name!r} from {theirs}; rename "
                "one of them, or use this one in a process of its own (in a notebook: restart the kernel)"
            )


def _file_of(name: str, code: Sequence[str]) -> Path | None:
    """Where folders of code have a module; None where they do not."""
    places = [Path(folder, *name.split(".")) for folder in code]
    return next((file for at in places for file in (at / "__init__.py", at.with_suffix(".py")) if file.is_file()), None)


def _used(module: ModuleType) -> set[str]:
    """The modules that it imported, or functions and classes of."""
    things = vars(module).values()
    names: set[object] = {each.__name__ for each in things if isinstance(each, ModuleType)}
    names |= {each.__module__ for each in things if isinstance(each, (FunctionType, type))}
    return {name for name in names if isinstance(name, str) and name != "__main__"}


def problems(function: object) -> list[str]:
    """Why this is not an objective; empty if it is one."""
    if not callable(function):
        return [
            f"objective is {function!r} ({type(function).__name__}); allowed is a function of one argument, the trial"
        ]
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        return [f"objective {name_of(function)} cannot be called with one argument, the trial: {error}"]
    except ValueError:  # built in C, without a signature
        return []
    return []


def name_of(function: object) -> str:
    """``module.name``, for messages and tags."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", type(function).__name__)
    return f"{module}.{name}" if module and module != "__main__" else name


def source(function: object) -> str:
    """Its source, that of its class for an object that can be called; empty where there is none."""
    while isinstance(function, partial):
        function = function.func
    for whole in (function, type(function)):
        try:
            return inspect.getsource(whole)  # type: ignore[arg-type]
        except (OSError, TypeError):
            continue
    return ""


def source_digest(function: object) -> str:
    """Names the objective's code: of its source where there is one, else of its bytecode and name."""
    try:
        text = inspect.getsource(function).encode()  # type: ignore[arg-type]
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = (b"" if code is None else _compiled(code)) + name_of(function).encode()
    return hashlib.sha256(text).hexdigest()[:16]


def _compiled(code: CodeType) -> bytes:
    """The same in every process: without addresses, and without the order of sets, which is random for texts."""
    constants = ", ".join(map(_constant, code.co_consts)) + ("," if len(code.co_consts) == 1 else "")
    return code.co_code + f"({constants})".encode()


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return hashlib.sha256(_compiled(value)).hexdigest()
    return f"frozenset({sorted(map(repr, value))})" if isinstance(value, frozenset) else repr(value)
