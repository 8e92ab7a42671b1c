"""A port for the first rank of a gang, and the environment where slots have accelerators."""

from __future__ import annotations

import errno
import socket

import pytest

from sparkml_track.slot.meeting import Meeting, at_its_devices
from sparkml_track.slot.wire.messages import Run


def test_a_port_is_kept_until_it_is_needed() -> None:
    meeting = Meeting()
    met = meeting.offer("7.0.1", "127.0.0.1")
    assert (met.attempt, met.address) == ("7.0.1", "127.0.0.1")
    with pytest.raises(OSError, match="in use") as taken:
        socket.create_server(("", met.port)).close()
    assert taken.value.errno == errno.EADDRINUSE
    meeting.free()
    meeting.free()
    socket.create_server(("", met.port)).close()


def test_the_port_of_a_gang_that_did_not_begin_is_let_go_by_the_next() -> None:
    meeting = Meeting()
    first, second = (meeting.offer(name, "::1" if socket.has_ipv6 else "127.0.0.1").port for name in ("1", "2"))
    assert first != second
    meeting.free()


def test_a_rank_that_sees_the_accelerators_of_its_slot_alone_is_a_node_of_its_own() -> None:
    env: dict[str, object] = {"LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 0, "RANK": 3}
    run = Run("7.0.1.3", 7, {}, 1, "7.0", 1, rank=3, world=4, env=env)
    assert at_its_devices(run, "") is run
    found = at_its_devices(run, "5")
    assert found.gpus == "5"
    assert found.env == {"RANK": 3, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "GROUP_RANK": 3, "GROUP_WORLD_SIZE": 4}
    assert at_its_devices(Run("7.0.1", 7, {}, 1, "7.0", 1), "5").env == {}
