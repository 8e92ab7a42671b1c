"""Strangers at the broker: nothing is decoded, nobody is kept waiting."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from sparkml_track.executors import _broker
from sparkml_track.executors._broker import Broker, Received
from sparkml_track.slot.wire import GREETING_SIZE, Sealer, WireError, connect, pack

SECRET = b"s" * 32


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker(SECRET, "127.0.0.1")
    yield broker
    broker.close()


def join(broker: Broker, secret: bytes = SECRET) -> tuple[socket.socket, Sealer]:
    """A client's handshake, which needs the broker polled meanwhile."""
    found: list[object] = []

    def dial() -> None:
        try:
            found.append(connect(broker.address, secret, 5.0))
        except WireError as error:
            found.append(error)

    thread = threading.Thread(target=dial)
    thread.start()
    while thread.is_alive():
        broker.poll(0.01)
    if isinstance(found[0], WireError):
        raise found[0]
    sock, sealer, _ = found[0]  # type: ignore[misc]
    return sock, sealer


def poll_until(broker: Broker, count: int) -> list[Received]:
    received: list[Received] = []
    until = time.monotonic() + 5
    while len(received) < count:
        assert time.monotonic() < until
        received += broker.poll(0.05)
    return received


def test_messages_of_a_friend_arrive_with_their_blob(broker: Broker) -> None:
    sock, sealer = join(broker)
    with sock:
        sock.sendall(sealer.seal(pack({"op": "hello"}, b"blob")))
        received = poll_until(broker, 1)[0]
    assert (received.message, received.blob) == ({"op": "hello"}, b"blob")
    assert poll_until(broker, 1)[0].message is None


def test_a_wrong_secret_is_refused(broker: Broker) -> None:
    with pytest.raises(WireError):
        join(broker, b"x" * 32)
    assert broker.refused == 1


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n" * 10, b"\0" * 48, b"\xff" * 4096])
def test_garbage_closes_the_connection_and_is_not_decoded(broker: Broker, garbage: bytes) -> None:
    with socket.create_connection(broker.address[1:]) as stranger:  # type: ignore[arg-type]
        stranger.sendall(garbage)
        while not broker.refused:
            assert broker.poll(0.05) == []
        stranger.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            while stranger.recv(4096):
                pass


def test_a_friend_that_sends_a_length_of_4_gb_is_dropped(broker: Broker) -> None:
    sock, _ = join(broker)
    with sock:
        sock.sendall(b"\xff\xff\xff\xff")
        assert poll_until(broker, 1)[0].message is None


def test_a_slow_stranger_is_dropped_after_its_time(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_broker, "HANDSHAKE", 0.05)
    with socket.create_connection(broker.address[1:]) as stranger:  # type: ignore[arg-type]
        while not broker.refused:
            stranger.send(b"x") if not broker.refused and broker.poll(0.02) == [] else None
        assert broker.refused == 1


def test_strangers_beyond_the_limit_are_closed_at_once(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_broker, "STRANGERS", 3)
    crowd = [socket.create_connection(broker.address[1:]) for _ in range(5)]  # type: ignore[arg-type]
    while broker.refused < 2:
        broker.poll(0.05)
    friend, sealer = crowd[0], None
    friend.settimeout(5)
    assert len(friend.recv(GREETING_SIZE)) == GREETING_SIZE
    assert sealer is None
    for sock in crowd:
        sock.close()


def test_a_friend_works_on_while_strangers_besiege(broker: Broker) -> None:
    sock, sealer = join(broker)
    crowd = [socket.create_connection(broker.address[1:]) for _ in range(50)]  # type: ignore[arg-type]
    for stranger in crowd:
        stranger.sendall(b"\xff" * 100)
    with sock:
        sock.sendall(sealer.seal(pack({"op": "beat"})))
        assert poll_until(broker, 1)[0].message == {"op": "beat"}
    for stranger in crowd:
        stranger.close()


def test_a_large_message_to_a_slow_reader_arrives_whole(broker: Broker) -> None:
    sock, sealer = join(broker)
    with sock:
        sock.sendall(sealer.seal(pack({"op": "hello"})))
        connection = poll_until(broker, 1)[0].connection
        for i in range(6):
            broker.send(connection, {"op": "piece", "i": i}, bytes([i]) * (1 << 20))
        total = 0
        while total < 6 * (1 << 20):
            broker.poll(0.0)
            total += len(sock.recv(1 << 16))
