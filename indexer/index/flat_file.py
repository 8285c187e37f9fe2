"""``index.faiss``, the file of an exact index: byte for byte what FAISS writes of its IndexIDMap2 of an IndexFlatIP.

    "IxM2" dims count  "IxFI" dims count  number of floats | vectors float32 (count, dims) | number of keys | keys int64

It is read and written here, so that FAISS, which takes 150 MB in its build for GPUs, is loaded only for what it
computes. All but vectors and keys follows from their shape, which the manifest says: the file is held to that.
"""

import mmap
import os
import struct
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Sink
from indexer.index.index_types import FILE_NAME
from rspnet_core.errors import LibraryDamaged

_HEAD = struct.Struct("<4siqqqbi 4siqqqbi Q")
"""Of both indexes type, dims, count, two numbers that mean nothing, whether it is trained, metric; number of floats."""
_NUMBER = struct.Struct("<Q")
_ROWS_AT_ONCE = 1024

Keys = NDArray[np.int64]
Vectors = NDArray[np.float32]


def write_flat(keys: Keys, vectors: Vectors, sink: Sink) -> None:
    """Write keys int64 (count,) and vectors float32 (count, dims) piece by piece. Raises what ``sink`` raises."""
    sink.write(_HEAD.pack(*_head(*vectors.shape)))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        sink.write(vectors[start : start + _ROWS_AT_ONCE].tobytes())
    sink.write(_NUMBER.pack(len(keys)))
    sink.write(keys.tobytes())


def read_flat(file: BufferedReader, count: int, dims: int, *, mapped: bool = False) -> tuple[Keys, Vectors]:
    """Keys int64 (count,) and vectors float32 (count, dims) of a file at its start.

    Where memory maps the file, the vectors stay in it: at an odd address, not to be written to. Raises LibraryDamaged
    when it is not a flat index of this shape, before memory for one is taken.
    """
    size_bytes = os.fstat(file.fileno()).st_size
    expected_bytes = _HEAD.size + count * dims * 4 + _NUMBER.size + count * 8
    head = _HEAD.unpack(file.read(_HEAD.size).ljust(_HEAD.size, b"\0"))
    if (size_bytes, head) != (expected_bytes, _head(count, dims)):
        kind, its_dims, its_count = head[:3]
        raise _damaged(
            f"{kind!r} of {its_count} x {its_dims} in {size_bytes} bytes, expected a flat index of {count} x {dims} in "
            f"{expected_bytes}"
        )
    if mapped:
        memory = mmap.mmap(file.fileno(), size_bytes, access=mmap.ACCESS_READ)
        vectors = np.frombuffer(memory, np.float32, count * dims, _HEAD.size)
        file.seek(_HEAD.size + vectors.nbytes)
    else:
        vectors = _filled(np.empty(count * dims, np.float32), file)
    if file.read(_NUMBER.size) != _NUMBER.pack(count):
        raise _damaged(f"of another number of keys than its {count} vectors")
    return _filled(np.empty(count, np.int64), file), vectors.reshape(count, dims)


def _head(count: int, dims: int) -> tuple[int | bytes, ...]:
    shape, rest = (dims, count), (1 << 20, 1 << 20, True, 0)  # trained; metric 0 is the inner product
    return (b"IxM2", *shape, *rest, b"IxFI", *shape, *rest, count * dims)


def _filled(array: NDArray[Any], file: BufferedReader) -> NDArray[Any]:
    """An array (n,) with what comes next in a file."""
    if file.readinto(array.data) != array.nbytes:
        raise _damaged("cut short")
    return array


def _damaged(reason: str) -> LibraryDamaged:
    return LibraryDamaged(f"{FILE_NAME} is {reason}; run `rspnet-index repair`")
