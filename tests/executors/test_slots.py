from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from sparkml_track.errors import SetupError
from sparkml_track.executors import Work, open_executor
from sparkml_track.executors._slots import Door, open_broker


def test_a_taken_port_is_told_with_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=rf"127\.0\.0\.1:{port}.*spark\.sparkml\.broker\.port"):
            open_broker(b"secret", Door("127.0.0.1", port), shared_host=False)


def test_a_temporary_folder_that_others_could_write_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # A short one: a long path leaves no room for the name of a Unix socket, and is not used.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        ours = Path(folder) / f"sparkml-{os.getuid()}"
        ours.mkdir()
        ours.chmod(0o777)
        with pytest.raises(SetupError, match="open to others; remove it or set TMPDIR"):
            open_executor("inline", Work(lambda _: 1.0), None)
