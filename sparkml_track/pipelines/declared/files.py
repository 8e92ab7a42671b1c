"""Files of a pipeline: Python whose decorators declare, and SQL."""

from __future__ import annotations

import hashlib
import linecache
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from sparkml_track.adapters.spark.stand_in import StandIn, without_session
from sparkml_track.errors import InvalidInput, SparkmlError
from sparkml_track.objective import find_code
from sparkml_track.pipelines.declared.doors import spark
from sparkml_track.pipelines.declared.registry import Registry, declaring
from sparkml_track.pipelines.declared.sql_file import declare_sql

__all__ = ["declare_files"]


def declare_files(files: Sequence[Path], registry: Registry) -> list[ModuleType]:
    """Reads files; their decorators declare into a registry.

    Args:
        files: that end with ``.py`` or ``.sql``.
        registry: of the pipeline.

    Returns:
        The modules of the Python files, for sending what they define to Spark's workers.

    Raises:
        InvalidInput: a file is missing, is of another kind, or cannot be executed; names file and line.
    """
    modules = []
    for file in files:
        if file.suffix not in (".py", ".sql"):
            raise InvalidInput(f"{file} is not a file of a pipeline; those end with .py or .sql")
        try:
            text = file.read_text("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidInput(f"the pipeline file {file} cannot be read: {reason}") from None
        if file.suffix == ".sql":
            declare_sql(text, file.name, registry)
        else:
            modules.append(_executed(file.absolute(), text, registry))
    return modules


def _executed(file: Path, text: str, registry: Registry) -> ModuleType:
    # A module of its own, which no other of this name can be: functions are found again by it.
    stem = re.sub(r"\W", "_", file.stem)
    module = ModuleType(f"sparkml_pipeline_{stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}")
    module.__file__ = str(file)
    module.__dict__["spark"] = spark
    sys.modules[module.__name__] = module
    linecache.checkcache(str(file))
    find_code([str(file.parent)])
    try:
        with declaring(registry), without_session(StandIn()):
            # Types of functions for Spark are made where they are declared.
            exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102  # the user's own file
    except SparkmlError:
        raise
    except SyntaxError as error:
        raise InvalidInput(f"{file.name}:{error.lineno}: {error.msg}; nothing was started") from None
    except Exception as error:  # noqa: BLE001  # whatever the file does when it is executed
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        place = f"{file.name}:{lines[-1]}" if lines else file.name
        raise InvalidInput(f"{place}: {type(error).__name__}: {str(error)[:500]}; nothing was started") from None
    return module
