"""Is this file a video? Decided by its first bytes, before any decoder sees it.

FFmpeg guesses what a file is and obeys it: a text file named ``x.mp4`` may be a playlist that makes it open other files
or addresses. So a file is opened only if it is a regular file that starts like one of the containers below, and FFmpeg
is then told which demuxer to use instead of guessing again.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from rspnet_core.errors import VideoError

_HEAD_BYTES = 1024
_MAGIC = {
    b"\x1a\x45\xdf\xa3": "matroska",
    b"FLV\x01": "flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"OggS": "ogg",
    b"DKIF": "ivf",
    b"\x00\x00\x01\xba": "mpeg",
    b"\x00\x00\x01\xb3": "mpegvideo",
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02": "mxf",
}
_MOV_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"}
_NOT_VIDEO_BRANDS = {b"heic", b"heix", b"mif1", b"avif", b"M4A ", b"M4B "}
_NOT_VIDEO = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"ID3": "an MP3 sound file",
    b"fLaC": "a FLAC sound file",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"#EXTM3U": "a playlist",
    b"ffconcat": "a playlist",
}


def container_of(path: Path) -> str:
    """The FFmpeg demuxer for a file, by its content; raises VideoError with a plain reason if it is not a video."""
    head = _head_of(path)
    if (container := _match(head)) is not None:
        return container
    raise VideoError(f"not a video file: {_describe(head)}")


def looks_like_video(path: str | Path) -> bool:
    """Whether the content starts like a video container; never raises, never waits (a FIFO or a device is no video)."""
    try:
        return _match(_head_of(Path(path))) is not None
    except VideoError:
        return False


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a file for reading; a FIFO, socket, device or folder is refused unopened.

    Raises VideoError, also for what the disk refuses while the file is read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise VideoError("not a regular file")
        # O_NONBLOCK: should a FIFO take the file's place after the check, opening it still does not wait.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            yield file
    except FileNotFoundError:
        raise VideoError("no such file") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _head_of(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_HEAD_BYTES) or b""  # None: it would have to wait, as for /proc/kmsg


def _match(head: bytes) -> str | None:
    for magic, container in _MAGIC.items():
        if head.startswith(magic):
            return container
    if head[4:8] in _MOV_BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _NOT_VIDEO_BRANDS else "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    for first, packet_bytes in ((0, 188), (4, 192)):  # plain transport streams, and those of cameras with a time code
        if len(head) > first + 2 * packet_bytes and set(head[first : first + 3 * packet_bytes : packet_bytes]) == {
            0x47
        }:
            return "mpegts"
    return None


def _describe(head: bytes) -> str:
    if not head:
        return "the file is empty"
    for magic, name in _NOT_VIDEO.items():
        if head.startswith(magic):
            return f"it is {name}"
    if not head.strip(b"\x00"):
        return "it starts with zeros"
    is_text = all(32 <= byte < 127 or byte in b"\t\r\n\f" for byte in head[:256])
    return "it starts with text" if is_text else "no known container's signature (MP4, AVI, Matroska, MPEG, ...)"
