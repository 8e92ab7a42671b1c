"""A certificate for one broker: made when it opens, given to its workers, gone with it."""

from __future__ import annotations

import datetime
import os
import secrets
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["own_certificate"]

# What is pinned needs no end, and clocks of slots may be wrong: RFC 5280, 4.1.2.5, for "no well-defined expiration".
_FROM, _UNTIL = datetime.datetime(2000, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001  # UTC


def own_certificate() -> tuple[ssl.SSLContext, str]:
    """Makes a key and a certificate signed by itself.

    Returns:
        The server's side of TLS 1.3, and the certificate in PEM.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sparkml-broker")])
    draft = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    draft = draft.serial_number(x509.random_serial_number()).not_valid_before(_FROM).not_valid_after(_UNTIL)
    certificate = draft.sign(key, hashes.SHA256())
    return _context(key, certificate), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # nobody comes back
    # OpenSSL takes them from a file only: it is there for a moment, and the key in it is encrypted.
    password = secrets.token_bytes(32).hex().encode()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    with tempfile.TemporaryDirectory(prefix="sparkml-") as folder:
        path = os.path.join(folder, "certificate")
        with open(path, "wb") as file:
            file.write(pem + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(path, password=password)
    return context
