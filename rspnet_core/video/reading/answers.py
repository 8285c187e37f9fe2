"""What a decoder process may answer: each value is checked, because a hostile file may have taken it over."""

import math
import re
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from rspnet_core.errors import NoVideoTrack, VideoError
from rspnet_core.text import printable
from rspnet_core.video.reading import wire
from rspnet_core.video.reading.probe import VideoInfo

_MAX_REASON_CHARACTERS = 300
_VIDEO_INFO = TypeAdapter(VideoInfo)

Payload: TypeAlias = bytes | bytearray
Layout: TypeAlias = list[tuple[type[np.generic], tuple[int, ...]]]
"""Types and shapes of the arrays that follow each other in a payload."""


def raise_error(header: wire.Header) -> None:
    """Raise the error that an answer holds, if any."""
    if "error" in header:
        raise error_of(header)(reason(header))


def error_of(header: wire.Header) -> type[VideoError]:
    """The kind of error that an answer holds."""
    return NoVideoTrack if header.get("no_video") is True else VideoError


def reason(header: wire.Header) -> str:
    """The child's words on one line: they may quote a hostile file."""
    return printable(str(header["error"]))[:_MAX_REASON_CHARACTERS]


def content_hash_in(header: wire.Header) -> str | None:
    """SHA-256 in hexadecimal, or None; ValueError for anything else."""
    content_hash = header.get("content_hash")
    if not (content_hash is None or re.fullmatch("[0-9a-f]{64}", content_hash)):
        raise ValueError
    return content_hash


def info_in(header: wire.Header) -> VideoInfo:
    """The video's facts; ValueError for numbers that no video has."""
    info = _VIDEO_INFO.validate_python(header["info"])
    numbers = (info.width, info.height, info.num_frames, info.duration_seconds, info.fps)
    if not all(0 < number < 1 << 63 for number in numbers) or not -1 < info.num_declared_frames < 1 << 63:
        raise ValueError
    return info


def num_bytes(layout: Layout) -> int:
    """Of a payload of this layout."""
    return sum(math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape in layout)


def split(payload: Payload, layout: Layout) -> list[NDArray[Any]]:
    """The arrays of a payload; ValueError where it does not hold them, or numbers that are none."""
    arrays: list[NDArray[Any]] = []
    offset = 0
    for dtype, shape in layout:
        array: NDArray[Any] = np.frombuffer(payload, dtype, math.prod(shape), offset).reshape(shape)
        if dtype is not np.uint8 and not np.isfinite(array).all():
            raise ValueError
        arrays.append(array)
        offset += array.nbytes
    return arrays
