"""A notebook of Jupyter as a process: ``python -m sparkml_track.jobs.tasks.jupyter``, with what to do as JSON.

Values come in a cell of their own after the one that is tagged "parameters", else first. The executed copy is written
also of a notebook that failed; what cells print is in the log as well.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["NOTEBOOK", "main"]

#: Of the environment: the notebook, its values, and where the copy goes.
NOTEBOOK = "SPARKML_JOB_NOTEBOOK"
#: The tag of the cell that has defaults of values, and that of the cell with values; papermill's words.
_DEFAULTS, _VALUES = "parameters", "injected-parameters"


def main() -> None:
    """Executes the notebook."""
    asked = json.loads(os.environ.pop(NOTEBOOK))
    raise SystemExit(_execute(Path(asked["file"]), Path(asked["copy"]), asked["params"]))


def _execute(file: Path, copy: Path, params: dict[str, object]) -> int:
    import nbformat
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.read(file, as_version=4)
    _give(notebook, params)
    try:
        _client(notebook, file.parent).execute()
    except CellExecutionError as error:
        # The traceback was made for a terminal's colours; the copy has it.
        sys.stderr.write(f"error: a cell raised {error.ename}: {error.evalue}\n")
        return 1
    except DeadKernelError:
        sys.stderr.write("error: the kernel ended before the notebook did\n")
        return 1
    finally:
        nbformat.write(notebook, copy)
        sys.stderr.write(f"executed copy: {copy}\n")
    return 0


def _give(notebook: Any, params: dict[str, object]) -> None:
    from nbformat.v4 import new_code_cell

    cells = notebook.cells
    cells[:] = [cell for cell in cells if _VALUES not in cell.metadata.get("tags", ())]
    if params:
        source = "\n".join(f"{name} = {value!r}" for name, value in params.items())
        after = next((at + 1 for at, cell in enumerate(cells) if _DEFAULTS in cell.metadata.get("tags", ())), 0)
        cells.insert(after, new_code_cell(source, metadata={"tags": [_VALUES]}))


def _client(notebook: Any, folder: Path) -> Any:
    from nbclient import NotebookClient

    class Client(NotebookClient):  # type: ignore[misc]  # of a library without types
        """Prints what cells print."""

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "stream":
                sys.stdout.write(msg["content"]["text"])
            return super().process_message(msg, cell, cell_index)

    # By this interpreter, whatever kernel its author had; without a limit, which is the task's to have.
    resources = {"metadata": {"path": str(folder)}}
    return Client(notebook, timeout=None, kernel_name="python3", resources=resources)


if __name__ == "__main__":
    main()
