"""A notebook of Jupyter as a process: ``python -m sparkml_track.jobs.tasks.jupyter``, with what to do as JSON.

Values come in a cell of their own after the one that is tagged "parameters", else first. The executed copy is written
also of a notebook that failed; what cells print is in the log as well.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["NOTEBOOK", "main"]

#: Of the environment: the notebook, its values, and where the copy goes.
NOTEBOOK = "SPARKML_JOB_NOTEBOOK"
#: Seconds after which what was interrupted is killed: less than a task has to end.
_LATE = 10.0
#: The tag of the cell that has defaults of values, and that of the cell with values; papermill's words.
_DEFAULTS, _VALUES = "parameters", "injected-parameters"


def main() -> None:
    """Executes the notebook."""
    asked = json.loads(os.environ.pop(NOTEBOOK))
    with tempfile.TemporaryDirectory() as private:
        os.environ["JUPYTER_RUNTIME_DIR"] = private
        raise SystemExit(_execute(Path(asked["file"]), Path(asked["copy"]), asked["params"], Path(private)))


def _execute(file: Path, copy: Path, params: dict[str, object], private: Path) -> int:
    import nbformat

    notebook = nbformat.read(file, as_version=4)
    _give(notebook, params)
    codes, ended = list[int](), list[int]()
    client = _client(notebook, file.parent, private, ended)

    def interrupted(number: int, _: object) -> None:
        # As Jupyter's own button does it: a sweep in the cell then ends in good order.
        ended.append(128 + number)
        _signal(client, signal.SIGINT)
        # A cell that goes on all the same is ended in time for the copy.
        late = threading.Timer(_LATE, _signal, (client, signal.SIGKILL))
        late.daemon = True
        late.start()

    signal.signal(signal.SIGTERM, interrupted)
    # Beside the main thread, which is left to the signal: else nbclient kills the kernel at once.
    executing = threading.Thread(target=lambda: codes.append(_code(client)), daemon=True)
    executing.start()
    executing.join()
    _signal(client, signal.SIGKILL)  # what cells started; the kernel itself has ended
    nbformat.write(notebook, copy)
    sys.stderr.write(f"executed copy: {copy}\n")
    return [*ended, *codes, 1][0]


def _signal(client: Any, number: int) -> None:
    """To the kernel and what it started, which have a process group of their own; nothing before there is one."""
    pid = getattr(getattr(getattr(client, "km", None), "provisioner", None), "pid", None)
    pid = client.group = pid or client.group
    if pid:
        with suppress(ProcessLookupError):
            os.killpg(pid, number)


def _code(client: Any) -> int:
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    try:
        client.execute()
    except CellExecutionError as error:
        # The traceback was made for a terminal's colours; the copy has it.
        sys.stderr.write(f"error: a cell raised {error.ename}: {error.evalue}\n")
        return 1
    except (DeadKernelError, RuntimeError) as error:
        sys.stderr.write(f"error: the kernel ended before the notebook did, or did not begin: {error}\n")
        return 1
    return 0


def _give(notebook: Any, params: dict[str, object]) -> None:
    from nbformat.v4 import new_code_cell

    cells = notebook.cells
    cells[:] = [cell for cell in cells if _VALUES not in cell.metadata.get("tags", ())]
    if params:
        source = "\n".join(f"{name} = {value!r}" for name, value in params.items())
        after = next((at + 1 for at, cell in enumerate(cells) if _DEFAULTS in cell.metadata.get("tags", ())), 0)
        cells.insert(after, new_code_cell(source, metadata={"tags": [_VALUES]}))


def _client(notebook: Any, folder: Path, private: Path, ended: Sequence[int]) -> Any:
    from nbclient import NotebookClient
    from traitlets.config import Config

    class Client(NotebookClient):  # type: ignore[misc]  # of a library without types
        """Prints what cells print, and begins no more of them once the task is ended."""

        group = 0

        async def async_execute_cell(self, *args: Any, **kwargs: Any) -> Any:
            pid = getattr(getattr(self.km, "provisioner", None), "pid", None)
            self.group = pid or self.group
            if ended:
                raise RuntimeError("the task was ended")
            return await super().async_execute_cell(*args, **kwargs)

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "stream":
                sys.stdout.write(msg["content"]["text"])
                sys.stdout.flush()
            return super().process_message(msg, cell, cell_index)

    # By this interpreter, whatever kernel its author had; without a limit, which is the task's to have.
    resources = {"metadata": {"path": str(folder)}}
    # Sockets that are files which nobody else can open; their paths must not be long.
    files = Config({"AsyncKernelManager": {"transport": "ipc", "ip": str(private / "kernel")}})
    return Client(notebook, timeout=None, kernel_name="python3", resources=resources, config=files)


if __name__ == "__main__":
    main()
