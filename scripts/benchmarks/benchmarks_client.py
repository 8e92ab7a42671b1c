"""Many simulated workers in one process: connect, say hello, then each sends and takes an answer, again and again."""

from __future__ import annotations

import selectors
import socket

from sparkml_track.slot.wire.frames import Address, Opener, Sealer, connect
from sparkml_track.slot.wire.messages import Hello, Report, encode

__all__ = ["main"]


def main(address: Address, secret: bytes, workers: int, messages: int) -> None:
    """Plays ``workers`` workers that send ``messages`` reports each."""
    selector = selectors.DefaultSelector()
    peers: list[tuple[socket.socket, Sealer, Opener]] = [connect(address, secret, 60.0) for _ in range(workers)]
    left = dict.fromkeys(range(workers), messages)
    report = encode(Report("1.0.1", 1, {"loss": 0.5}, 1, 1.5))
    for number, (sock, sealer, _) in enumerate(peers):
        sock.sendall(sealer.seal(encode(Hello("3", "here", 1, number))))
        selector.register(sock, selectors.EVENT_READ, number)
    for sock, sealer, _ in peers:
        sock.sendall(sealer.seal(report))
    while left:
        for key, _ in selector.select():
            number = key.data
            sock, sealer, opener = peers[number]
            for _ in opener.feed(sock.recv(1 << 16)):
                left[number] -= 1
                if left[number]:
                    sock.sendall(sealer.seal(report))
                else:
                    del left[number]
                    selector.unregister(sock)
    for sock, _, _ in peers:
        sock.close()
