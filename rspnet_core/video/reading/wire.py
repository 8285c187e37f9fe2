"""How a decoder process and its parent talk: length-prefixed messages of a JSON header and raw bytes, never pickle.

A decoder that a hostile file has taken over can then send wrong numbers at worst, not code.
"""

import json
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

_LENGTHS = struct.Struct(">IQ")
MAX_HEADER_BYTES = 1 << 20

Header = dict[str, Any]
ReadExactly = Callable[[int], bytes | bytearray]
"""Give as many bytes as asked for; raises EOFError if there are fewer."""


class ProtocolError(Exception):
    """The other side sent what it may not send."""


def pack(header: Header, payload_bytes: int = 0) -> bytes:
    """Lengths and header of a message; the payload follows it on the pipe."""
    encoded = json.dumps(header).encode()
    return _LENGTHS.pack(len(encoded), payload_bytes) + encoded


def unpack(read_exactly: ReadExactly, max_payload_bytes: int) -> tuple[Header, bytes | bytearray]:
    """Next message's header and payload. Raises EOFError at the end and ProtocolError for a wrong message."""
    header_bytes, payload_bytes = _LENGTHS.unpack(read_exactly(_LENGTHS.size))
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > max_payload_bytes:
        raise ProtocolError(f"message of {header_bytes} + {payload_bytes} bytes")
    try:
        header = json.loads(read_exactly(header_bytes))
    except (ValueError, RecursionError):
        raise ProtocolError("header is not JSON") from None
    if not isinstance(header, dict):
        raise ProtocolError("header is not an object")
    return header, read_exactly(payload_bytes)


def reader_of(file: BinaryIO) -> ReadExactly:
    """Exact reads from a blocking file."""

    def read_exactly(num_bytes: int) -> bytes:
        data = file.read(num_bytes)
        if len(data) < num_bytes:
            raise EOFError
        return data

    return read_exactly
