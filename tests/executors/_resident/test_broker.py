"""Strangers at the broker: nothing is decoded, nobody is kept waiting."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from sparkml_track.executors._resident import broker as _broker
from sparkml_track.executors._resident.broker import Broker, Received
from sparkml_track.executors._resident.certificate import own_certificate
from sparkml_track.slot.wire.address import nobody_listens
from sparkml_track.slot.wire.frames import GREETING_SIZE, Opener, Sealer, WireError, connect
from sparkml_track.slot.wire.messages import Beat, Bye, File, Hello, Piece, Report, decode, encode
from sparkml_track.slot.wire.tls import Tls, pinned

SECRET = b"s" * 32
HELLO = Hello("3.11.0", "here", 1, 0)
TLS, CERTIFICATE = own_certificate()


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    """Every fault is met with and without encryption."""
    return bool(request.param == "tls")


@pytest.fixture
def broker(tls: bool) -> Iterator[Broker]:
    broker = Broker(SECRET, "127.0.0.1", tls=TLS if tls else None)
    yield broker
    broker.close()


def dial(broker: Broker, secret: bytes, tls: bool) -> tuple[socket.socket, Sealer, Opener]:
    return connect(broker.address, secret, 5.0, (lambda sock: pinned(CERTIFICATE, sock)) if tls else None)


def join(broker: Broker, tls: bool, secret: bytes = SECRET) -> tuple[socket.socket, Sealer, Opener]:
    """A client's handshake, which needs the broker polled meanwhile."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(dial(broker, secret, tls))
        except WireError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        broker.poll(0.01)
    broker.poll(0)  # the last step of TLS may still lie in the socket
    if isinstance(found[0], WireError):
        raise found[0]
    return found[0]  # type: ignore[return-value]


def poll_until(broker: Broker, count: int) -> list[Received]:
    received: list[Received] = []
    until = time.monotonic() + 5
    while len(received) < count:
        assert time.monotonic() < until
        received += broker.poll(0.05)
    return received


def test_messages_of_a_friend_arrive_with_their_blob(broker: Broker, tls: bool) -> None:
    sock, sealer, _ = join(broker, tls)
    with sock:
        sock.sendall(sealer.seal(encode(HELLO, b"blob")))
        received = poll_until(broker, 1)[0]
    assert (received.message, received.blob) == (HELLO, b"blob")
    assert poll_until(broker, 1)[0].message is None


def test_a_wrong_secret_is_refused(broker: Broker, tls: bool) -> None:
    with pytest.raises(WireError):
        join(broker, tls, b"x" * 32)
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


def test_a_friend_that_sends_a_length_of_4_gb_is_dropped(broker: Broker, tls: bool) -> None:
    sock, sealer, _ = join(broker, tls)
    with sock:
        length = b"\xff\xff\xff\xff"
        sock.sendall(sealer._cipher.encrypt(length) if sealer._cipher else length)
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


def test_a_worker_comes_in_while_silent_strangers_fill_the_door(
    broker: Broker, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_broker, "STRANGERS", 3)
    monkeypatch.setattr(_broker, "GRACE", 0.0)
    crowd = [socket.create_connection(broker.address[1:]) for _ in range(3)]  # type: ignore[arg-type]
    for sock in crowd:
        sock.settimeout(5)
        while not select.select([sock], [], [], 0)[0]:
            broker.poll(0.05)
    friend, sealer, _ = join(broker, tls)
    with friend:
        friend.sendall(sealer.seal(encode(HELLO)))
        assert poll_until(broker, 1)[0].message == HELLO
    assert broker.refused == 1
    for sock in crowd:
        sock.close()


def test_a_worker_that_was_cut_off_does_not_take_a_crowd_at_the_door_for_the_end(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_broker, "STRANGERS", 0)
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(nobody_listens(broker.address)))
    thread.start()
    while thread.is_alive():
        broker.poll(0.01)
    assert (found, broker.refused) == ([False], 1)


def test_a_friend_works_on_while_strangers_besiege(broker: Broker, tls: bool) -> None:
    sock, sealer, _ = join(broker, tls)
    crowd = [socket.create_connection(broker.address[1:]) for _ in range(50)]  # type: ignore[arg-type]
    for stranger in crowd:
        stranger.sendall(b"\xff" * 100)
    with sock:
        sock.sendall(sealer.seal(encode(Beat())))
        assert poll_until(broker, 1)[0].message == Beat()
    for stranger in crowd:
        stranger.close()


def test_large_messages_to_a_slow_reader_arrive_whole(broker: Broker, tls: bool) -> None:
    sock, sealer, opener = join(broker, tls)
    with sock:
        sock.sendall(sealer.seal(encode(HELLO)))
        connection = poll_until(broker, 1)[0].connection
        for i in range(6):
            broker.send(connection, Piece("x", i, 6), bytes([i]) * (1 << 20))
        bodies: list[bytes] = []
        while len(bodies) < 6:
            broker.poll(0.0)
            bodies += opener.feed(sock.recv(1 << 16))
    assert [decode(body) for body in bodies] == [(Piece("x", i, 6), bytes([i]) * (1 << 20)) for i in range(6)]


def test_a_large_message_from_a_friend_arrives_whole(broker: Broker, tls: bool) -> None:
    sock, sealer, _ = join(broker, tls)
    sent = [bytes([i]) * (1 << 20) for i in range(4)]

    def send() -> None:
        for blob in sent:
            sock.sendall(sealer.seal(encode(File("0.0.1", "a", 0), blob)))

    thread = threading.Thread(target=send)
    thread.start()
    assert [received.blob for received in poll_until(broker, 4)] == sent
    thread.join()
    sock.close()


# -- TLS


def client_side() -> Tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=CERTIFICATE)
    return Tls(context, server=False)


def readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0.01)[0])


@pytest.fixture
def secured() -> Iterator[Broker]:
    broker = Broker(SECRET, "127.0.0.1", tls=TLS)
    yield broker
    broker.close()


def test_a_client_that_knows_the_secret_and_speaks_no_tls_is_refused(secured: Broker) -> None:
    sock, sealer, _ = join(secured, tls=False)
    with sock:
        sock.sendall(sealer.seal(encode(HELLO)))
        while not secured.refused:
            assert secured.poll(0.05) == []
        sock.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(4096):  # what is not an answer to a hello: the broker was not asked in TLS
                pass


def test_nothing_is_sent_to_who_speaks_no_tls(secured: Broker) -> None:
    sock, *_ = join(secured, tls=False)
    with sock:
        (connection,) = secured._shaking
        secured.send(connection, Bye(), b"the objective")
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_who_stops_in_the_middle_of_the_tls_handshake_is_dropped_after_its_time(
    secured: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_broker, "HANDSHAKE", 0.2)
    sock, *_ = join(secured, tls=False)
    hello = client_side().shake()
    with sock:
        for byte in hello[:-1]:
            with contextlib.suppress(OSError):
                sock.send(bytes([byte]))
            secured.poll(0.0)
        while not secured.refused:
            assert secured.poll(0.05) == []
        assert not secured._shaking


def test_a_stranger_with_a_tls_hello_never_reaches_the_library(
    secured: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_broker, "Tls", None)
    with socket.create_connection(secured.address[1:]) as stranger:  # type: ignore[arg-type]
        stranger.sendall(client_side().shake())
        while not secured.refused:
            assert secured.poll(0.05) == []


def test_a_message_right_behind_the_handshake_is_not_lost(secured: Broker) -> None:
    sock, plain, _ = join(secured, tls=False)
    client = client_side()
    with sock:
        sock.settimeout(5)
        sock.sendall(client.shake())
        while not client.ready:
            secured.poll(0.0)
            last = client.shake(sock.recv(1 << 14, socket.MSG_DONTWAIT) if readable(sock) else b"")
        sealer = Sealer(plain._key, client)
        sock.sendall(last + sealer.seal(encode(HELLO)))
        assert poll_until(secured, 1)[0].message == HELLO


def test_how_fast_messages_go_with_and_without_tls(
    broker: Broker, tls: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed with -s or -rP, not judged: the machine may be busy."""
    count = 5_000
    sock, sealer, _ = join(broker, tls)

    def send() -> None:
        for i in range(count):
            sock.sendall(sealer.seal(encode(Report("0.0.1", i, {"loss": 0.5}, i, 1.5))))

    thread = threading.Thread(target=send)
    began = time.perf_counter()
    thread.start()
    messages = [received.message for received in poll_until(broker, count)]
    seconds = time.perf_counter() - began
    thread.join()
    sock.close()
    assert [message.number for message in messages if isinstance(message, Report)] == list(range(count))
    print(f"{'TLS' if tls else 'plain'}: {count / seconds:,.0f} messages/s")
