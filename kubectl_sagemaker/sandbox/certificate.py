"""A self-signed certificate for 127.0.0.1, made at start: kubectl sends tokens over TLS only.

client-go reads a kubeconfig's credentials for https servers alone (measured: kubectl 1.27, 1.33 and 1.37 send none to
http://). Python's standard library makes no certificates and the openssl program may be absent, so this does the
little that one needs: a key on the curve P-256, an ECDSA signature (FIPS 186-4), DER. It guards a toy on
loopback for as long as its process lives; its arithmetic is not constant in time.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

Point = tuple[int, int]

PRIME: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GENERATOR: Final[Point] = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

VALID: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, each as PEM text."""

    certificate: str
    key: str

    def context(self) -> ssl.SSLContext:
        """A server's TLS context."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # ssl reads keys from files alone; mkdtemp's folder is the user's own.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "server.pem")
            file.write_text(self.key + self.certificate)
            context.load_cert_chain(file)
        return context


def make(now: datetime) -> Certificate:
    """Make a key and a certificate for 127.0.0.1 and localhost, valid for a year from a day before `now` (UTC)."""
    private = 1 + secrets.randbelow(ORDER - 1)
    x, y = _times(private, GENERATOR)
    public = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    signature_kind = _sequence(_oid(1, 2, 840, 10045, 4, 3, 2))  # ecdsa-with-SHA256
    key_kind = _sequence(_oid(1, 2, 840, 10045, 2, 1), _oid(1, 2, 840, 10045, 3, 1, 7))  # P-256
    name = _sequence(_der(0x31, _sequence(_oid(2, 5, 4, 3), _der(0x0C, b"kubectl-sagemaker-sandbox"))))
    start = now.astimezone(UTC) - timedelta(days=1)
    body = _sequence(
        _der(0xA0, _integer(2)),  # version 3
        _integer(1 + secrets.randbits(63)),
        signature_kind,
        name,
        _sequence(_time(start), _time(start + VALID)),
        name,
        _sequence(key_kind, _bits(public)),
        _der(0xA3, _sequence(*_extensions(public))),
    )
    r, s = _sign(private, body)
    certificate = _sequence(body, signature_kind, _bits(_sequence(_integer(r), _integer(s))))
    key = _sequence(
        _integer(1),
        _der(0x04, private.to_bytes(32, "big")),
        _der(0xA0, _oid(1, 2, 840, 10045, 3, 1, 7)),
        _der(0xA1, _bits(public)),
    )
    return Certificate(_pem("CERTIFICATE", certificate), _pem("EC PRIVATE KEY", key))


def _extensions(public: bytes) -> list[bytes]:
    """What Go and OpenSSL's strict mode (Python 3.13's default) ask of a certificate that vouches for itself."""
    critical = _der(0x01, b"\xff")
    names = _sequence(_der(0x87, bytes((127, 0, 0, 1))), _der(0x82, b"localhost"))
    return [
        _sequence(_oid(2, 5, 29, 14), _der(0x04, _der(0x04, hashlib.sha256(public).digest()[:20]))),  # key identifier
        _sequence(_oid(2, 5, 29, 15), critical, _der(0x04, _der(0x03, b"\x02\x84"))),  # signs data and certificates
        _sequence(_oid(2, 5, 29, 17), _der(0x04, names)),
        _sequence(_oid(2, 5, 29, 19), critical, _der(0x04, _sequence(critical))),  # is an authority
    ]


def _add(a: Point | None, b: Point | None) -> Point | None:
    """Add two points of the curve; None is the point at infinity."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % PRIME == 0:
            return None
        slope = 3 * (a[0] * a[0] - 1) * pow(2 * a[1], -1, PRIME)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, PRIME)
    x = (slope * slope - a[0] - b[0]) % PRIME
    return x, (slope * (a[0] - x) - a[1]) % PRIME


def _times(factor: int, point: Point) -> Point:
    total: Point | None = None
    addend: Point | None = point
    while factor:
        if factor & 1:
            total = _add(total, addend)
        addend = _add(addend, addend)
        factor >>= 1
    if total is None:
        raise ValueError("the factor is a multiple of the curve's order")
    return total


def _sign(private: int, body: bytes) -> tuple[int, int]:
    digest = int.from_bytes(hashlib.sha256(body).digest(), "big")
    while True:
        nonce = 1 + secrets.randbelow(ORDER - 1)
        r = _times(nonce, GENERATOR)[0] % ORDER
        s = pow(nonce, -1, ORDER) * (digest + r * private) % ORDER
        if r and s:
            return r, s


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(content: bytes) -> bytes:
    return _der(0x03, b"\x00" + content)


def _oid(first: int, second: int, *rest: int) -> bytes:
    content = bytearray((40 * first + second,))
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        content += bytes(reversed(groups))
    return _der(0x06, bytes(content))


def _time(moment: datetime) -> bytes:
    return _der(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
