from __future__ import annotations

import socket

import pytest

from sparkml_track.errors import SetupError
from sparkml_track.executors._slots import Door, open_broker


def test_a_taken_port_is_told_with_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=rf"127\.0\.0\.1:{port}.*spark\.sparkml\.broker\.port"):
            open_broker(b"secret", Door("127.0.0.1", port), shared_host=False)
