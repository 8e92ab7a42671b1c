"""The worker's end of TLS, against servers that are not its broker."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkml_track.executors._resident.certificate import own_certificate
from sparkml_track.slot.wire import frames as wire
from sparkml_track.slot.wire.frames import Opener, Sealer, WireError
from sparkml_track.slot.wire.tls import Tls, pinned

SECRET = b"s" * 32
SERVER, CERTIFICATE = own_certificate()


def serve(listener: socket.socket, then: Callable[[socket.socket], None]) -> None:
    """A broker that knows the secret and does as it likes from there on."""
    sock, _ = listener.accept()
    with sock:
        sent = wire.greeting()
        sock.sendall(sent)
        reply = sock.recv(wire.REPLY_SIZE, socket.MSG_WAITALL)
        sock.sendall(wire.verify_reply(SECRET, sent, reply).proof(b"server"))
        then(sock)


def shake(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    def then(sock: socket.socket) -> None:
        try:
            with context.wrap_socket(sock, server_side=True) as secured:
                secured.recv(1)
        except OSError:  # the client has gone
            pass

    return then


def dial(then: Callable[[socket.socket], None], timeout: float = 5.0) -> None:
    """Connects as a worker does that was given ``CERTIFICATE``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, then))
        thread.start()
        try:
            address = ("tcp", "127.0.0.1", listener.getsockname()[1])
            wire.connect(address, SECRET, timeout, lambda sock: pinned(CERTIFICATE, sock))[0].close()
        finally:
            thread.join()


def pair() -> tuple[Tls, Tls]:
    """Both ends, with the handshake behind them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=CERTIFICATE)
    server, client = Tls(SERVER, server=True), Tls(context, server=False)
    said = b""
    while not (server.ready and client.ready):
        said = server.shake(client.shake(said))
    return server, client


def test_a_broker_with_the_pinned_certificate_is_believed() -> None:
    dial(shake(SERVER))


def test_a_broker_with_another_certificate_of_the_same_name_is_refused() -> None:
    with pytest.raises(WireError, match="CERTIFICATE_VERIFY_FAILED"):
        dial(shake(own_certificate()[0]))


def test_what_the_library_lets_through_must_still_be_the_very_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tls, "certificate", b"another")
    with pytest.raises(WireError, match="another certificate than this task was given"):
        dial(shake(SERVER))


def test_older_tls_is_refused_by_both() -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(WireError, match="no TLS"):
        dial(shake(old))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.check_hostname = False
    hello = Tls(client, server=False).shake()
    with pytest.raises(WireError, match="UNSUPPORTED_PROTOCOL"):
        Tls(SERVER, server=True).shake(hello)


@pytest.mark.parametrize("said", [b"\0\0\0\x20" + b"x" * 36, b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_broker_without_tls_is_refused(said: bytes) -> None:
    def then(sock: socket.socket) -> None:
        sock.recv(1 << 14)
        sock.sendall(said)

    with pytest.raises(WireError, match=r"no TLS|closed during the TLS handshake"):
        dial(then)


def test_a_broker_that_says_nothing_is_left_after_the_timeout() -> None:
    def then(sock: socket.socket) -> None:
        while sock.recv(1 << 14):  # until the client has gone
            pass

    with pytest.raises(TimeoutError):
        dial(then, timeout=0.1)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(max_size=70_000), min_size=1, max_size=4), st.integers(1, 20_000))
def test_frames_survive_any_cut_of_the_encrypted_stream(bodies: list[bytes], size: int) -> None:
    server, client = pair()
    sealer, opener = Sealer(b"k" * 32, client), Opener(b"k" * 32, server)
    stream = b"".join(sealer.seal(body) for body in bodies)
    assert not any(body in stream for body in bodies if len(body) > 8)
    found = [body for i in range(0, len(stream), size) for body in opener.feed(stream[i : i + size])]
    assert found == bodies


def test_a_changed_byte_and_the_end_of_tls_end_the_connection() -> None:
    server, client = pair()
    sent = client.encrypt(b"hello")
    with pytest.raises(WireError, match="no TLS"):
        server.decrypt(sent[:-1] + bytes([sent[-1] ^ 1]))
    server, client = pair()
    with pytest.raises(ssl.SSLWantReadError):
        client._tls.unwrap()
    with pytest.raises(WireError, match="closed"):
        server.decrypt(client._out.read())
