"""The crop that a container asks for: Matroska's PixelCrop and the clean aperture (``clap``) of MP4 and QuickTime.

FFmpeg's demuxers hand them on beside the stream, where PyAV does not reach, so the few bytes are read here.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rspnet_core.errors import VideoError
from rspnet_core.video.reading.display import NO_MARGINS, Margins
from rspnet_core.video.reading.sniff import open_regular

_MOST_PARTS = 4096
"""Boxes or elements that are looked at; a hostile file may hold millions of empty ones."""
_SAMPLE_ENTRY = 86
"""Bytes of a ``VisualSampleEntry`` with its header; boxes follow."""


_PIXEL_CROPS = (b"\x54\xcc", b"\x54\xbb", b"\x54\xdd", b"\x54\xaa")
"""Elements of a track's Video: left, top, right, bottom."""


class _Part(NamedTuple):
    """A box or an element: where its content starts and ends in the file."""

    name: bytes
    start: int
    end: int


_NOTHING_THERE = (VideoError, ValueError, struct.error, ZeroDivisionError, LookupError, StopIteration)
_Read = Callable[[BinaryIO, _Part], Iterator[_Part]]


def margins_of(path: Path, demuxer: str, place: int) -> Margins:
    """What the container crops from the frames of its video track number ``place``, from 0; nothing where unsure."""
    margins_in = _MARGINS_IN.get(demuxer)
    if margins_in is not None:
        with suppress(*_NOTHING_THERE), open_regular(path) as file:
            return margins_in(file, place)
    return NO_MARGINS


def _margins_in_matroska(file: BinaryIO, place: int) -> Margins:
    all_tracks = next(_below(file, _elements, _whole(file), b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b"))
    tracks = [
        parts
        for entry in _below(file, _elements, all_tracks, b"\xae")
        if (parts := {part.name: part for part in _elements(file, entry)}) and _number(file, parts.get(b"\x83")) == 1
    ]
    video = {part.name: part for part in _elements(file, tracks[place][b"\xe0"])}
    return Margins(*(_number(file, video.get(name)) for name in _PIXEL_CROPS))


def _margins_in_mov(file: BinaryIO, place: int) -> Margins:
    movie = next(_below(file, _boxes, _whole(file), b"moov"))
    tracks = [track for track in _below(file, _boxes, movie, b"trak") if _is_video(file, track)]
    description = next(_below(file, _boxes, tracks[place], b"mdia", b"minf", b"stbl", b"stsd"))
    entry = next(_boxes(file, _Part(b"", description.start + 8, description.end)))
    width, height = struct.unpack(">24x2H", _bytes(file, entry.start, 28))
    inner = _Part(b"", entry.start - 8 + _SAMPLE_ENTRY, entry.end)
    aperture = next(_below(file, _boxes, inner, b"clap"))
    return _margins_of_aperture(_bytes(file, aperture.start, 32), width, height)


def _is_video(file: BinaryIO, track: _Part) -> bool:
    handlers = _below(file, _boxes, track, b"mdia", b"hdlr")
    return any(_bytes(file, handler.start + 8, 4) == b"vide" for handler in handlers)


def _margins_of_aperture(aperture: bytes, stored_width: int, stored_height: int) -> Margins:
    """The aperture's centre lies off the frame's centre by the stated offsets (ISO/IEC 14496-12, 12.1.4)."""
    numbers = struct.unpack(">4IiIiI", aperture)
    width, height, right_of_centre, below_centre = (numbers[i] / numbers[i + 1] for i in range(0, 8, 2))
    left = round((stored_width - width) / 2 + right_of_centre)
    top = round((stored_height - height) / 2 + below_centre)
    right, bottom = stored_width - left - round(width), stored_height - top - round(height)
    return Margins(left, top, right, bottom) if min(left, top, right, bottom) >= 0 else NO_MARGINS


def _whole(file: BinaryIO) -> _Part:
    return _Part(b"", 0, file.seek(0, 2))


def _below(file: BinaryIO, read: _Read, part: _Part, *names: bytes) -> Iterator[_Part]:
    """Parts that lie at a path of names below another, lazily."""
    for inner in read(file, part):
        if inner.name == names[0]:
            if len(names) == 1:
                yield inner
            else:
                yield from _below(file, read, inner, *names[1:])


def _boxes(file: BinaryIO, outer: _Part) -> Iterator[_Part]:
    start, end = outer.start, outer.end
    for _ in range(_MOST_PARTS):
        if start + 8 > end:
            return
        size, name = struct.unpack(">I4s", _bytes(file, start, 8))
        header = 8
        if size == 1:
            (size,), header = struct.unpack(">Q", _bytes(file, start + 8, 8)), 16
        stop = end if size == 0 else start + size
        if not start + header <= stop <= end:
            return
        yield _Part(name, start + header, stop)
        start = stop


def _elements(file: BinaryIO, outer: _Part) -> Iterator[_Part]:
    start, end = outer.start, outer.end
    for _ in range(_MOST_PARTS):
        if start + 2 > end:
            return
        head = _bytes(file, start, min(12, end - start))
        name_bytes = 9 - head[0].bit_length()
        size_bytes = 9 - head[name_bytes].bit_length()
        size = int.from_bytes(head[name_bytes : name_bytes + size_bytes]) & ((1 << 7 * size_bytes) - 1)
        start += name_bytes + size_bytes
        is_open = size == (1 << 7 * size_bytes) - 1  # a live stream knows no end
        stop = end if is_open else start + size
        yield _Part(head[:name_bytes], start, min(stop, end))
        start = stop


def _number(file: BinaryIO, part: _Part | None) -> int:
    return 0 if part is None else int.from_bytes(_bytes(file, part.start, min(part.end - part.start, 8)))


def _bytes(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


_MARGINS_IN = {"matroska": _margins_in_matroska, "mov": _margins_in_mov}
