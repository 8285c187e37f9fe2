"""Is this file a video? Decided by its first bytes and ``containers``, before any decoder sees it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from rspnet_core.errors import VideoError
from rspnet_core.video.reading.containers import HEAD_BYTES, demuxer_of, is_text, why_not


def container_of(path: Path) -> str:
    """The FFmpeg demuxer for a file, by its content; raises VideoError with a plain reason if it is not a video."""
    head = _head_of(path)
    if (demuxer := demuxer_of(head, _suffix(path))) is not None:
        return demuxer
    raise VideoError(why_not(head))


def looks_like_video(path: str | Path) -> bool:
    """Whether the content starts like a video container; never raises, never waits (a FIFO or a device is no video)."""
    try:
        return demuxer_of(_head_of(Path(path)), _suffix(path)) is not None
    except VideoError:
        return False


def looks_like_text(path: str | Path) -> bool:
    """Whether the content starts like a text; an empty file does not. Never raises, never waits."""
    try:
        head = _head_of(Path(path))
    except VideoError:
        return False
    return bool(head) and is_text(head)


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
        return file.read(HEAD_BYTES) or b""  # None: it would have to wait, as for /proc/kmsg


def _suffix(path: str | Path) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122 - a Path for each of 300,000 files costs more than the pass
