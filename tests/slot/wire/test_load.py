"""Waiting grows with the load of the machine."""

from __future__ import annotations

import os
import socket

import pytest

from sparkml_track.executors._resident import broker as _broker
from sparkml_track.executors._resident.broker import Broker
from sparkml_track.slot.wire.load import slowness


@pytest.mark.parametrize(("load", "factor"), [(0.1, 1.0), (4.0, 1.0), (12.0, 3.0), (4000.0, 12.0)])
def test_a_loaded_machine_is_slow_in_proportion_within_bounds(
    load: float, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert slowness() == factor


def test_a_machine_that_does_not_tell_its_load_is_taken_for_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", fail)
    assert slowness() == 1.0


@pytest.mark.parametrize(("factor", "dropped"), [(1.0, 1), (12.0, 0)])
def test_a_loaded_machine_gives_strangers_longer_for_the_handshake(
    factor: float, dropped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_broker, "slowness", lambda: factor)
    broker = Broker(b"s" * 32, "127.0.0.1")
    try:
        with socket.create_connection(broker.address[1:]):  # type: ignore[arg-type]
            broker.poll(5.0)
            for stranger in broker._strangers:
                stranger.since -= _broker.HANDSHAKE + 1.0
            broker.poll(0.0)
            assert broker.refused == dropped
    finally:
        broker.close()
