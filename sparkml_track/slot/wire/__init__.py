"""How a worker and the broker talk.

frames    messages, the handshake and the seals on them
tls       TLS on top, with one certificate pinned
address   where the broker listens
load      how much longer things take on this machine than on an idle one
"""
