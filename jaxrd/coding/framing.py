"""The frame of a stream: its content, then the SHA-256 of the content. Both .jrd and .jrc streams have it."""

from __future__ import annotations

import hashlib

from jaxrd.errors import InputError

_CHECKSUM = 32
"""Bytes of the checksum at the end."""


def pack(header: bytes, payload: bytes) -> bytes:
    """The stream of a header and a payload.

    >>> len(pack(b"JRD1", b"1234"))
    40
    """
    body = header + payload
    return body + hashlib.sha256(body).digest()


def unpack(stream: bytes, refusal: InputError) -> bytes:
    """Header and payload of a stream, once its checksum agrees.

    Args:
        stream: of `pack`.
        refusal: raised where the checksum does not agree, or the stream has none.

    >>> unpack(pack(b"JRD1", b"1234"), InputError("damaged"))
    b'JRD11234'
    >>> unpack(b"JRD1", InputError("damaged"))
    Traceback (most recent call last):
    jaxrd.errors.InputError: damaged
    """
    body, checksum = stream[:-_CHECKSUM], stream[-_CHECKSUM:]
    if hashlib.sha256(body).digest() != checksum:
        raise refusal
    return body
