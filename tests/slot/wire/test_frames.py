from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkml_track.slot.wire import frames as wire
from sparkml_track.slot.wire.frames import Keys, Opener, Sealer, WireError, pack, unpack

KEY = b"k" * 32
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, min_size=1, max_size=5), st.binary(max_size=200))
def test_what_is_packed_comes_out_again(message: list[object], blob: bytes) -> None:
    assert unpack(pack(message, blob)) == (message, blob)


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 9), st.sampled_from([None, KEY]))
def test_frames_survive_any_cut_of_the_stream(bodies: list[bytes], size: int, key: bytes | None) -> None:
    sealer, opener = Sealer(key), Opener(key)
    stream = b"".join(sealer.seal(body) for body in bodies)
    found = [body for i in range(0, len(stream), size) for body in opener.feed(stream[i : i + size])]
    assert found == bodies


@given(st.binary(max_size=60))
def test_garbage_is_never_taken_for_a_message(garbage: bytes) -> None:
    with pytest.raises(WireError):
        Opener(KEY).feed(len(garbage).to_bytes(4, "little") + garbage)


def test_a_frame_that_was_changed_repeated_or_left_out_is_refused() -> None:
    sealer = Sealer(KEY)
    first, second = sealer.seal(b"one"), sealer.seal(b"two")
    changed = first[:-1] + bytes([first[-1] ^ 1])
    for stream in (changed, first + first, second):
        with pytest.raises(WireError, match="not authentic"):
            Opener(KEY).feed(stream)


def test_a_frame_under_another_key_is_refused() -> None:
    keys = Keys(b"secret", b"n" * 32)
    with pytest.raises(WireError, match="not authentic"):
        Opener(keys.to_client).feed(Sealer(keys.to_server).seal(b"reflected"))


def test_a_length_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireError, match="4294967295 bytes"):
        Opener(KEY).feed(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    "body", [b"", b"\x05\0\0\0[1]", b"\x02\0\0\0{}", b"\x02\0\0\0[]", b"\xff\0\0\0[1]", b"\x02\0\0\0[x"]
)
def test_a_body_that_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        unpack(body)


def serve_once(listener: socket.socket, secret: bytes, answer: bytes | None = None) -> None:
    sock, _ = listener.accept()
    with sock:
        sent = wire.greeting()
        sock.sendall(sent)
        reply = sock.recv(wire.REPLY_SIZE, socket.MSG_WAITALL)
        if answer is None:
            answer = wire.verify_reply(secret, sent, reply).proof(b"server")
        sock.sendall(answer)


@pytest.mark.parametrize(("answer", "error"), [(None, None), (b"x" * 32, "does not know the secret")])
def test_a_client_believes_only_a_broker_that_knows_the_secret(answer: bytes | None, error: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_once, args=(listener, b"secret", answer))
        thread.start()
        address = ("tcp", "127.0.0.1", listener.getsockname()[1])
        if error is None:
            wire.connect(address, b"secret", 5.0)[0].close()
        else:
            with pytest.raises(WireError, match=error):
                wire.connect(address, b"secret", 5.0)
        thread.join()
